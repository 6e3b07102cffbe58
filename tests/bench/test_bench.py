"""That the bench can be run, and that its arithmetic is right. No test here looks at how long something took."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from tests.bench.__main__ import measure
from tests.bench.company import Request, Start
from tests.bench.figures import percentile
from tests.bench.load import request
from tests.bench.promoting import waves
from tests.bench.settings import SECRET


def asked(begun: float, ended: float) -> Request:
    return Request(method="GET", host="github", path="/", status=200, begun=begun, sent=begun, ended=ended, state="")


def test_waves_are_the_longest_chain_of_questions_that_waited_for_an_answer() -> None:
    together = [asked(0, 2), asked(0, 3), asked(1, 4)]
    assert waves(together) == 1
    assert waves([*together, asked(5, 6), asked(6, 7)]) == 3
    assert waves([]) == 0


def test_what_is_left_of_a_start_is_the_time_in_which_nothing_was_asked() -> None:
    start = Start(asked=10, begun=20)
    assert start.alone([]) == 10
    assert start.alone([asked(0, 9), asked(11, 13), asked(12, 14), asked(12, 13), asked(19, 25), asked(30, 31)]) == 6


def test_a_percentile_is_a_sample_that_occurred() -> None:
    samples = [float(n) for n in range(1, 101)]
    assert (percentile(samples, 0.5), percentile(samples, 0.99), percentile([7.0], 0.99)) == (50.0, 99.0, 7.0)


def test_the_load_is_signed_deliveries_of_twenty_kilobytes_no_two_alike() -> None:
    head, _, body = request(1, "11111111-2222-4333-8444-555555555555").partition(b"\r\n\r\n")
    assert 19_000 < len(body) < 21_000
    assert json.loads(body)["action"] == "completed"
    assert hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest().encode() in head
    assert request(2, "11111111-2222-4333-8444-555555555555").partition(b"\r\n\r\n")[2] != body


@pytest.mark.full
@pytest.mark.parametrize("part", ["intake", "signing", "promotions"])
async def test_every_part_runs(part: str) -> None:
    said: list[str] = []
    figures = await measure((part,), small=True, say=said.append)
    assert said
    assert all(figure.value for figure in figures)
