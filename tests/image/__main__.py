"""The image in containers, with as little as Fargate gives it and less. scripts/test-image builds it and calls this;
IMAGE names it, and SOURCE is what its label says. WINDROW_SWEEP=full takes the long variants. Tests are named after rows of
the fault catalogue."""
import sys
import unittest

from containers import run

if sys.argv[1:] == ["--try"]:
    ended = run("--version")
    sys.exit(0 if ended.code == 0 and ended.out.startswith("windrow ") else ended.err or "it did not run")

import contents  # noqa: E402
import limits  # noqa: E402
import network  # noqa: E402
import process  # noqa: E402

suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(module)
                           for module in (contents, process, limits, network))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
sys.exit(not result.wasSuccessful())
