#!/usr/bin/env python3
"""Training on the test device: the bits of the host, and as many copies a step as docs/design/device.md says.

  device_test.py BUILD SOURCE [unittest arguments]
"""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402


class Device(case.Case):
    def train(self, out, *settings, device=True):
        """Weights of the run, and what the device counted."""
        counts = self.folder / f"{out}.counts"
        if device:
            self.environment["PENSTOCK_TEST_DEVICE"] = str(counts)
        else:
            self.environment.pop("PENSTOCK_TEST_DEVICE", None)
        self.penstock("train", self.tasks / "maintenance_words.pipe", "--out", self.folder / out, "--quiet", "--set", "train.keep=last",
                      *[part for setting in settings for part in ("--set", setting)])
        weights = (self.folder / out / "model.safetensors").read_bytes()
        return weights, json.loads(counts.read_text()) if device else None

    def test_bits_and_copies(self):
        for accumulate, launches, into, out in [(1, 1, 1, 1), (3, 2 * 3 + 1, 2 * 3 + 1, 2 * 3)]:
            with self.subTest(accumulate=accumulate):
                parts = f"train.accumulate={accumulate}", "train.validate=never", "train.batch=8"
                found = {}
                for steps in (12, 29):
                    name = f"device{accumulate}-{steps}"
                    weights, found[steps] = self.train(name, f"train.steps={steps}", *parts)
                    host, _ = self.train(f"host{accumulate}-{steps}", f"train.steps={steps}", *parts, device=False)
                    self.assertEqual(weights, host)
                more = {key: found[29][key] - found[12][key] for key in found[12]}
                print(f"accumulate {accumulate}: of 17 steps more", more)
                self.assertEqual(more["launches"], 17 * launches)
                self.assertEqual(more["copies_in"], 17 * into)
                self.assertEqual(more["copies_out"], 17 * out)
                if accumulate == 1:
                    self.assertGreaterEqual(found[29]["most_waiting"], 3, "nothing was late")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:])
