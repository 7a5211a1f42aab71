"""The command line `vo`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from vo import __version__, log
from vo.config import Config
from vo.errors import VOError

EPILOG = """\
The shortest way to a running service:

  vo serve --sample      build a synthetic release in ./data, if it is not there, and serve it

Your own tables:

  vo load my_release/    read my_release/release.yaml and the data files beside it
  vo load images DIR     publish the FITS images below DIR, which stay where they are
  vo load tiles FILE     publish the tiles of the survey, listed in FILE
  vo serve               serve every release loaded so far

Every setting is a VO_* variable; the README lists them all.
"""

COMMANDS: Mapping[str, str] = {
    "serve": "Run the whole service on this machine.",
    "web": "Run the web server alone.",
    "worker": "Run the jobs of a lane.",
    "sweep": "Mend lost jobs, destroy expired ones, remove orphaned files.",
    "load": "Build a release from a directory and swap it in.",
    "load images": "Publish the FITS images below a directory.",
    "load tiles": "Publish the tiles of a survey.",
    "publish": "Publish tables that are in Oracle already.",
    "anomaly watch": "Score new rows as they come, and tell of the strange ones.",
    "check": "Say whether settings, servers and releases are in order.",
}
"""What there is: for each command a module of `vo.commands`, loaded when the command is given."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, or 1 after an error, which is told on stderr."""
    options = parsed(sys.argv[1:] if arguments is None else arguments)
    try:
        config = Config.from_env(
            data_dir=options.data,
            host=getattr(options, "host", None),
            port=getattr(options, "port", None),
        )
        log.configure(config.log_level, config.log_format)
        options.run(options, config)
    except VOError as error:
        sys.stderr.write(f"vo: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command and its options; SystemExit: there are none such."""
    words = list(arguments)
    if " ".join(words[:2]) in COMMANDS:  # a directory so called is `./images`
        words[:2] = [" ".join(words[:2])]
    return _parser(words[:1]).parse_args(words)


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command line, with the options of the command that is given."""
    parser = argparse.ArgumentParser(
        prog="vo",
        description="A data release of an astronomical survey on the standards of the IVOA.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vo {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name in given:
            _complete(command, name)
    return parser


def _complete(command: argparse.ArgumentParser, name: str) -> None:
    module = import_module(f"vo.commands.{name.replace(' ', '_')}")
    command.add_argument("--data", type=Path, metavar="DIR", help="data directory (default: ./data)")
    module.add_options(command)
    command.set_defaults(run=module.run)


if __name__ == "__main__":
    sys.exit(main())
