"""Trust the data: copies, doubtful labels, odd pictures and balance, before a score is believed."""

from ferembed.auditing.copies.find import Copies, find_copies
from ferembed.auditing.findings import AuditReport, Balance, count_classes
from ferembed.auditing.labels import LabelIssues, find_label_issues
from ferembed.auditing.mistakes import confident_joint, probable_mistakes, rank_labels
from ferembed.auditing.outliers import Outliers, find_outliers
from ferembed.auditing.run import audit
from ferembed.auditing.shipped import known_copies, known_labels, known_outliers

__all__ = [
    "AuditReport",
    "Balance",
    "Copies",
    "LabelIssues",
    "Outliers",
    "audit",
    "confident_joint",
    "count_classes",
    "find_copies",
    "find_label_issues",
    "find_outliers",
    "known_copies",
    "known_labels",
    "known_outliers",
    "probable_mistakes",
    "rank_labels",
]
