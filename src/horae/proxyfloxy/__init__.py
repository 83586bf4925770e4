"""ProxyFloxy's sweep: federated averaging over endpoints, models in the messages or by reference, small to large.

Source: proxystore/federated-learning (`main.py`), of which the files, options and columns are kept.
"""

from horae.proxyfloxy.endpoints import Endpoint, Endpoints, read_endpoints
from horae.proxyfloxy.table import COLUMNS, Row, write_csv

__all__ = ["COLUMNS", "Endpoint", "Endpoints", "Row", "read_endpoints", "write_csv"]
