from incident.daemon.crowds import Crowds


def test_a_few_alerts_are_no_crowd() -> None:
    crowds = Crowds()
    crowds.look(5, 0.0)
    assert not crowds.come
    assert not crowds.begins


def test_a_crowd_begins_once_and_goes_on() -> None:
    crowds = Crowds()
    crowds.look(6, 0.0)
    assert (crowds.come, crowds.begins) == (True, True)
    crowds.look(12, 1.0)
    assert (crowds.come, crowds.begins) == (True, False)
    crowds.look(12, 2.0)
    crowds.look(18, 3.0)
    assert crowds.begins


def test_many_within_ten_seconds_are_a_storm_until_they_are_ten_seconds_past() -> None:
    crowds = Crowds()
    storms = []
    for heard_of, at in ((30, 0.0), (50, 9.0), (51, 9.5), (51, 10.5)):
        crowds.look(heard_of, at)
        storms.append(crowds.storm)
    assert storms == [False, False, True, False]


def test_those_that_came_while_the_first_waited_count_and_are_no_crowd_of_their_own() -> None:
    crowds = Crowds()
    crowds.look(6, 0.0)
    crowds.let_come(60, 2.0)
    assert crowds.storm
    crowds.look(60, 2.3)
    assert not crowds.come
