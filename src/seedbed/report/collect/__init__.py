"""What a report says, as plain data: read from a run's folder or a comparison's result, bounded, without any HTML.

Rows that are read from artifacts are few and texts are cut, so that a corpus of any size gives a small report.
"""
