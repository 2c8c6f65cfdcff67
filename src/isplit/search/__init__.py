"""Search by budget: what every point is expected to reach, and which to train next."""

from isplit.search.expectation import FILE as FILE
from isplit.search.expectation import WORTH as WORTH
from isplit.search.expectation import Z90 as Z90
from isplit.search.expectation import Constants as Constants
from isplit.search.expectation import Expectation as Expectation
from isplit.search.expectation import constants_of as constants_of
from isplit.search.expectation import doubt as doubt
from isplit.search.expectation import expectations as expectations
from isplit.search.expectation import expected_win as expected_win
from isplit.search.expectation import kinds as kinds
from isplit.search.expectation import next_point as next_point
