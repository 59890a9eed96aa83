#!/usr/bin/env bash
# All that is measured and compared on a machine with an NVIDIA card, most valuable first, in one table: see device.py.
#
#   tests/bench/device.sh pack [--data DIR] [--vocab FILE]   here: .device/ of what was built (carry it beside the checkout)
#   tests/bench/device.sh [OUT]                              there, from the checkout: within 9 minutes; OUT gets the table
#   tests/bench/device.sh --fake [OUT]                       here: the same on the fake driver, tiny
exec python3 "$(dirname "${BASH_SOURCE[0]}")/device.py" "$@"
