"""ADQL 2.1 (REC, 2023-12-15) compiled to the SQL of a database."""

from vo.adql.dialect import ADQL
from vo.adql.features import FEATURES, Feature
from vo.adql.passes import check, translate

__all__ = ["ADQL", "FEATURES", "Feature", "check", "translate"]
