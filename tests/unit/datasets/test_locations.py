"""What a location log says after a merge."""

from decimal import Decimal

from bidsloom.datasets.locations import DEAD, list_present, log_path, with_presence

NOW = Decimal("1700000000.5")


def test_new_log_names_the_store():
    assert "1700000000.5s 1 store\n" == with_presence("", "store", now=NOW)


def test_lines_of_other_repositories_stay():
    """Only the store's own line is replaced, whatever it said."""
    log = "1600000000s 1 other\n1600000001.25s 0 store\n1600000002s X dead\n"
    wanted = "1600000000s 1 other\n1600000002s X dead\n1700000000.5s 1 store\n"
    assert wanted == with_presence(log, "store", now=NOW)


def test_log_that_tells_already_is_left():
    """Of several lines of the store, as a union merge leaves them, the newest counts."""
    log = "1600000001s 1 store\n1600000000s 0 store\n"
    assert log == with_presence(log, "store", now=NOW)
    wanted = "1700000000.5s 1 store\n"
    assert wanted == with_presence("1600000000s 1 store\n1600000001s 0 store\n", "store", now=NOW)


def test_clock_that_goes_behind_is_outdone():
    """git-annex believes the newest line, so ours is newer than the one it replaces."""
    assert "1800000001s 1 store\n" == with_presence("1800000000s 0 store\n", "store", now=NOW)


def test_log_path_is_git_annex_own():
    key = "MD5E-s13--8ddd8be4b179a529afa5f2ffae4b9858.txt"
    assert f"b31/446/{key}.log" == log_path(key)


def test_content_that_was_removed_for_ever_is_dead():
    """git-annex no longer looks for it in the store; what others have stays said."""
    log = "1600000000s 1 other\n1600000001s 1 store\n"
    wanted = "1600000000s 1 other\n1700000000.5s X store\n"
    assert wanted == with_presence(log, "store", now=NOW, status=DEAD)
    assert wanted == with_presence(wanted, "store", now=NOW, status=DEAD)


def test_latest_line_says_who_has_a_key():
    """A repository that dropped it, or lost it for ever, has it no more."""
    log = "2s 1 here\n1s 0 here\n1s 1 dropped\n2s 0 dropped\n3s X dead\n1s 1 there\nno line\n"
    assert {"here", "there"} == list_present(log)
