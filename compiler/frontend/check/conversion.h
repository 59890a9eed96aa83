// From a value to the parameter that it is given for. Reports nothing: whoever asks may only be trying.
#pragma once

#include "compiler/frontend/check/reporter.h"
#include "compiler/frontend/check/value.h"

#include <optional>

namespace penstock::frontend {

/// Why a value is not taken: a diagnostic and its arguments.
struct Mismatch {
  const char *id = nullptr; // nullptr: the value is an error that was reported already
  diagnostics::Arguments arguments;
};

/// The value as the parameter takes it. A string is a path relative to `folder` where a path is wanted.
std::optional<Attribute> convert(const Value &value, const ParameterSpec &spec, const std::string &folder, Mismatch &mismatch);

/// Whether nothing of a call that says how data are read waits for facts about them; reported where something does.
bool checkKnown(const Attributes &attributes, const std::string &callable, const std::map<std::string, Span> &spans, const Span &span,
                Reporter &reporter);

/// What a plugin takes as the value of a parameter.
PluginValue pluginValue(const Attribute &attribute);

} // namespace penstock::frontend
