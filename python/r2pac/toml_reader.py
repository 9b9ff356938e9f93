"""The reader of TOML: Python's own from 3.11 on, before that the package tomli, which it was made from."""

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

__all__ = ["tomllib"]
