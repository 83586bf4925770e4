"""For all tests: property tests are not timed, since a machine that is busy is not a defect."""

from hypothesis import settings

settings.register_profile("horae", deadline=None)
settings.load_profile("horae")
