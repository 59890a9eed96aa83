// The values of settings and params: what is written, or given by `--set`, as its parameter wants it; resolved at once.
#pragma once

#include "compiler/frontend/check/evaluator.h"

namespace penstock::frontend {

/// A setting that takes a call out of a list: its name and arguments.
struct Choice {
  bool good = false;
  std::string name;
  Attributes attributes;
};

class SettingValues {
public:
  SettingValues(const Program &program, Scopes &scopes, Settings &settings, Evaluator &evaluator, Reporter &reporter);

  /// Declares the params of the main file.
  void readParams();
  /// The value of the setting `spec.name` of a block, or the default of `spec`; none after a report.
  std::optional<Attribute> simple(const BlockSettings &given, const std::string &block, const ParameterSpec &spec);
  /// `key`: of the resolved form, "train.optimizer".
  Choice choose(const Expression &expression, const std::vector<Signature> &choices, const std::string &what, const std::string &key,
                Origin origin);

private:
  Value paramValue(const Parameter &param, const ParameterSpec &spec);

  const Program &program;
  Scopes &scopes;
  Settings &settings;
  Evaluator &evaluator;
  Reporter &reporter;
};

/// What a setting without bounds of its own takes.
ParameterSpec numberSetting(const char *name, double value, double minimum, bool open);
ParameterSpec integerSetting(const char *name, std::int64_t value, std::int64_t minimum, double maximum);

} // namespace penstock::frontend
