"""The scripts and documents for AWS and Kubernetes, against servers on loopback. scripts/test-aws makes the Python that this
needs, and calls it."""
import sys
import unittest

import batch
import deploy
import documents
import run

suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(module) for module in (documents, deploy, batch, run))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(not result.wasSuccessful())
