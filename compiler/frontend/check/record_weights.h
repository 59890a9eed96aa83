// `train { weights: COLUMN }`: what each record counts.
#pragma once

#include "compiler/frontend/check/graph_builder.h"
#include "compiler/frontend/check/setting_values.h"

#include <string>

namespace penstock::frontend {

/// The column that a setting names, which becomes an input of the model's graph; "" after a report. The model stands, with its answers.
std::string readRecordWeights(const Setting &setting, GraphBuilder &builder, const Scopes &scopes, SettingValues &values,
                              const BlockSettings &given, Reporter &reporter);

} // namespace penstock::frontend
