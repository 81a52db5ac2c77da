from tests.bench.bystander import Stood, read


def test_what_became_due_while_the_machine_stood_or_made_up_for_it_says_nothing() -> None:
    stood = Stood(read("100.0 100.4\n105.0 105.1\n"), 90.0, 200.0)
    due = [99.9, 100.0, 100.3, 100.6, 100.7, 104.9, 105.05, 106.0]
    assert [stood.at(at) for at in due] == [False, True, True, True, False, False, True, False]


def test_only_spans_within_the_measurement_count() -> None:
    stood = Stood(read("100.0 100.4\n105.0 105.1\n"), 102.0, 200.0)
    assert not stood.at(100.2)
    assert round(stood.seconds, 3) == 0.1
