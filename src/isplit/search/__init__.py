"""The accuracy to expect of points that nobody trained, and which of them to train next."""

from isplit.search.choice import next_point as next_point
from isplit.search.constants import Constants as Constants
from isplit.search.constants import constants_of as constants_of
from isplit.search.expectation import Expectation as Expectation
from isplit.search.expectation import expectations as expectations
