// What is expected of results and of artifacts: the entries `expect` of `evaluate` and `deploy`; and the settings of `deploy`.
#pragma once

#include "compiler/frontend/check/measures.h"
#include "runtime/base/quantities.h"

namespace penstock::frontend {

class Expectations {
public:
  Expectations(const Program &program, const Records &records, const Measures &measures, Scopes &scopes, Settings &settings,
               Evaluator &evaluator, SettingValues &values, Reporter &reporter);

  /// After Measures::read, which names the results.
  void read();

  const std::vector<ExpectationSpec> &ofEvaluate() const { return evaluated; }
  const DeploySpec &ofDeploy() const { return deployed; }

private:
  /// The `expect`s of a block, whose keys in the resolved form are `key`.NAME.
  std::vector<ExpectationSpec> readBlock(const std::string &block, const std::string &key);
  bool readExpect(const Entry &entry, const std::string &block, ExpectationSpec &expectation);
  /// What stands before the comparison; false after a report.
  bool readQuantity(const Expression &expression, const std::string &block, ExpectationSpec &expectation);
  bool readBound(const Value &bound, const Span &span, ExpectationSpec &expectation);
  void readDeploy();

  const Program &program;
  const Records &records;
  const Measures &measures;
  Scopes &scopes;
  Settings &settings;
  Evaluator &evaluator;
  SettingValues &values;
  Reporter &reporter;
  std::vector<ExpectationSpec> evaluated;
  DeploySpec deployed;
};

} // namespace penstock::frontend
