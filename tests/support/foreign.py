"""Bytes of formats that are refused."""

import pickle

EMPTY_PICKLE = pickle.dumps([])  # never loaded: no file of a run is a pickle
