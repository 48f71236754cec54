"""Executable checks on a model: what is measured, what was expected, what is wrong, and the likely bug."""

from pellucid.inspection.doctor.diagnosis import diagnose
from pellucid.inspection.doctor.finding import Diagnosis, Finding
from pellucid.inspection.doctor.patient import Patient
from pellucid.inspection.doctor.stranger import load_stranger

__all__ = ["Diagnosis", "Finding", "Patient", "diagnose", "load_stranger"]
