// The operations that heads of plugins may call stay as they were frozen: a plugin of this version of the interface builds the same model
// in every later one. tests/unit/plugins/frozen_2_0/operations.txt has a line for each: its name, operands and weights from least to most,
// and each parameter with its type and default. An operation may gain parameters that have a default, and weights that only these ask for;
// new operations may come.
// PENSTOCK_FREEZE=1 in the environment writes the file, for a new major version.
#include "compiler/frontend/operations.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::frontend;

namespace {

std::string frozenFile() {
  const char *folder = std::getenv("PENSTOCK_SOURCE");
  return std::string(folder != nullptr ? folder : ".") + "/tests/unit/plugins/frozen_2_0/operations.txt";
}

struct Frozen {
  std::string arity;
  std::map<std::string, std::string> parameters; // "integer required", "boolean = true"
};

std::string parameterText(const ParameterSpec &spec) {
  static constexpr const char *types[] = {"boolean", "integer", "number", "string", "path", "enumeration", "strings", "numbers"};
  const std::string type = types[static_cast<int>(spec.type)];
  if (spec.required) {
    return type + " required";
  }
  return type + (spec.absent ? " absent" : " = " + jsonText(Attributes{{"value", defaultOf(spec)}}));
}

std::map<std::string, Frozen> operationsOfNow() {
  std::map<std::string, Frozen> now;
  for (const BuiltinOp &op : builtinOps()) {
    const std::optional<Arity> arity = arityOf(op.signature.name);
    if (!arity) {
      continue; // it becomes others, and no plugin may call it
    }
    std::ostringstream text;
    text << "operands " << arity->operands << " to " << arity->mostOperands << ", weights " << arity->weights << " to "
         << arity->mostWeights;
    Frozen &frozen = now[op.signature.name];
    frozen.arity = text.str();
    for (const ParameterSpec &parameter : op.signature.parameters) {
      frozen.parameters[parameter.name] = parameterText(parameter);
    }
  }
  return now;
}

std::map<std::string, Frozen> frozenOperations() {
  std::map<std::string, Frozen> frozen;
  std::ifstream file(frozenFile());
  std::string line, name;
  while (std::getline(file, line)) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("  ")) {
      frozen[name].parameters[line.substr(2, colon - 2)] = line.substr(colon + 2);
    } else {
      name = line.substr(0, colon);
      frozen[name].arity = line.substr(colon + 2);
    }
  }
  return frozen;
}

void write(const std::map<std::string, Frozen> &operations) {
  std::ofstream file(frozenFile());
  for (const auto &[name, operation] : operations) {
    file << name << ": " << operation.arity << "\n";
    for (const auto &[parameter, text] : operation.parameters) {
      file << "  " << parameter << ": " << text << "\n";
    }
  }
}

} // namespace

TEST(FrozenOperations, AreThereAsTheyWere) {
  std::map<std::string, Frozen> now = operationsOfNow();
  if (std::getenv("PENSTOCK_FREEZE") != nullptr) {
    write(now);
  }
  const std::map<std::string, Frozen> frozen = frozenOperations();
  ASSERT_GT(frozen.size(), 20U);
  for (const auto &[name, before] : frozen) {
    ASSERT_TRUE(now.contains(name)) << "plugins call `" << name << "`, which is no more";
    const Frozen &after = now[name];
    const std::size_t most = before.arity.rfind(' ') + 1;
    EXPECT_EQ(before.arity.substr(0, most), after.arity.substr(0, most)) << name;
    EXPECT_LE(std::stoull(before.arity.substr(most)), std::stoull(after.arity.substr(most))) << name;
    for (const auto &[parameter, text] : before.parameters) {
      const auto found = after.parameters.find(parameter);
      ASSERT_TRUE(found != after.parameters.end()) << name << " has no `" << parameter << "` any more";
      EXPECT_EQ(found->second, text) << name << "(" << parameter << ")";
    }
    for (const auto &[parameter, text] : after.parameters) {
      EXPECT_TRUE(before.parameters.contains(parameter) || text.find("required") == std::string::npos)
          << name << " asks for `" << parameter << "`, which plugins do not give";
    }
  }
}
