// report.html of a run folder: one self-contained page with metrics, loss curve, report texts and resolved values.
#pragma once

#include "runtime/exec/run_folder.h"

namespace penstock {

/// Reads RUN/metrics.jsonl and writes RUN/report.html atomically.
Status writeReport(const std::string &folder, const RunRecord &record);

} // namespace penstock
