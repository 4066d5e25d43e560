"""Energy counters, where there are some."""

from __future__ import annotations

from seedbed.core.energy import joules, used


class Library:
    """NVML as far as it is called: two GPUs, of which the second has no counter."""

    def __init__(self, works=True):
        self.works, self.shut = works, False

    def nvmlInit_v2(self):
        return 0 if self.works else 9

    def nvmlDeviceGetCount_v2(self, count):
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        handle._obj.value = index + 100
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, value):
        value._obj.value = 12_500
        return 0 if handle.value == 100 else 3

    def nvmlShutdown(self):
        self.shut = True


def zone(root, name, energy, label="package-0"):
    (root / name).mkdir()
    (root / name / "name").write_text(label + "\n")
    (root / name / "energy_uj").write_text(energy)


def test_nothing_to_read_is_none(tmp_path):
    assert joules(tmp_path, Library(works=False)) is None


def test_packages_are_counted_once_and_gpus_by_number(tmp_path):
    zone(tmp_path, "intel-rapl:0", "2500000\n")
    zone(tmp_path, "intel-rapl:0:0", "900000\n", "core")
    zone(tmp_path, "intel-rapl:1", "not a number", "package-1")
    library = Library()
    assert joules(tmp_path, library) == {"package-0": 2.5, "gpu 0": 12.5}
    assert library.shut


def test_this_machine_answers_in_joules_or_not_at_all():
    found = joules()
    assert found is None or all(value >= 0 for value in found.values())


def test_what_was_used_lies_between_two_readings_even_when_a_counter_wraps(tmp_path):
    zone(tmp_path, "intel-rapl:0", "0")
    (tmp_path / "intel-rapl:0" / "max_energy_range_uj").write_text("100000000")
    assert used({"package-0": 90.0, "gpu 0": 1.0}, {"package-0": 15.0, "gpu 0": 4.0}, tmp_path) == 25.0 + 3.0
    assert used({"package-0": 1.0}, {"package-0": 4.0}, tmp_path) == 3.0
    assert used(None, {"package-0": 4.0}) is None and used({"package-0": 1.0}, {"gpu 0": 4.0}) is None
