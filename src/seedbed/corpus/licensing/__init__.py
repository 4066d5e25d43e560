"""What a text may be used for: SPDX expressions from files, notices, package metadata and folders."""
