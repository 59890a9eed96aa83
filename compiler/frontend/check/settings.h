// What is set: by the blocks of the file, by `--set`, and what it came to, value by value (the resolved form).
#pragma once

#include "compiler/frontend/check/reporter.h"
#include "compiler/frontend/check/value.h"

#include <functional>
#include <set>
#include <utility>

namespace penstock::frontend {

/// A setting of a block after `--set`.
struct Setting {
  const Expression *value = nullptr;
  Span nameSpan;
  Origin origin = Origin::file;
  const Expression *written = nullptr; // by the file, where `--set` gives the value; or nullptr
};

/// The settings of one block, by name.
using BlockSettings = std::map<std::string, Setting>;
/// nullptr where it is not set.
const Setting *find(const BlockSettings &settings, const char *name);
/// Whether the block has a setting of that name.
bool isSetting(const std::string &block, const std::string &name);

/// One `--set`.
struct Override {
  std::string name, text; // before and after `=`
  std::string folder;     // what a path in it is relative to
  std::vector<std::string> parts;
  std::shared_ptr<SourceFile> nameFile, file; // what its ranges point into
  Expression value;
  std::vector<diagnostics::Diagnostic> problems; // syntax errors of the value
  bool used = false;
  Span nameSpan() const { return {nameFile.get(), 0, static_cast<std::uint32_t>(name.size())}; }
  Span valueSpan() const { return {file.get(), 0, static_cast<std::uint32_t>(text.size())}; }
};

class Settings {
public:
  Settings(const Program &program, std::vector<Override> overrides, Reporter &reporter);

  /// Reports the settings that the block does not have, and those that stand twice.
  BlockSettings of(const std::string &block);
  /// Of a block within another, of `kind`, whose settings are called `key`.NAME: "train.critic", "objective".
  BlockSettings of(const std::string &key, const std::string &kind, const std::vector<Entry> &entries);
  /// Whether a `--set` sets something below that key.
  bool overridesBelow(const std::string &key) const;
  /// Whether a `--set` sets something of the block.
  bool overridesBlock(const std::string &block) const;

  /// The `--set` of that very name, the last of several, which counts as used from now on; nullptr for none.
  Override *find(const std::string &name);
  /// Those that set an argument of the call that is the setting `key`: "train.optimizer". They are used where their last part
  /// is a parameter.
  std::vector<Override *> ofCall(const std::string &key, const Signature &signature);
  /// The place of the first one.
  Span firstOverride() const { return overrides.empty() ? Span{} : overrides.front().nameSpan(); }
  void reportUnused();
  /// A setting of `train` that objectives have, as `--set` names that of one of them; "" where none has it.
  std::string settingOfObjective(const std::string &setting) const;

  /// What a path written there is relative to.
  const std::string &folderOf(Span span) const;

  /// Says what a value is and where it came from. Of two for one key the first counts.
  void resolve(std::string key, std::string value, Origin origin, const Span &span = {});
  /// What a parameter's value is worth and where it was written.
  using Written = std::function<std::pair<Origin, Span>(const std::string &parameter)>;
  /// The same of each parameter that has a value, below `key`.
  void resolveParameters(const std::string &key, const Signature &signature, const Attributes &attributes, const Written &written);
  /// While `on` nobody will ask for what is resolved: it is of a trial, and forgotten. Gives what was said before.
  bool forgetResolved(bool on) { return std::exchange(forgets, on); }
  /// Hands over what was resolved.
  std::vector<ResolvedValue> takeResolved();

private:
  const Program &program;
  std::vector<Override> overrides;
  Reporter &reporter;
  std::set<std::string> settable; // arguments of settings, and settings of nested blocks, as `--set` names them
  struct Resolved {
    std::string key, value;
    Origin origin;
    Span span; // its place is looked for when all is asked for
    bool decides = false;
  };
  std::vector<Resolved> values;
  bool forgets = false;
};

} // namespace penstock::frontend
