"""What the progress bar leaves behind."""

import ferembed.progress


def test_a_long_job_leaves_nothing_in_a_file(capfd, monkeypatch):
    monkeypatch.setattr(ferembed.progress, "PATIENCE", -1)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # by which rich takes a file for a terminal
        monkeypatch.delenv(name, raising=False)
    for total in (2, None):
        with ferembed.progress.progress("Looking at photos", total) as report:
            report(1)
            report(2)
    assert capfd.readouterr() == ("", "")
