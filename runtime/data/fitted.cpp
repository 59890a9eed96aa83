#include "runtime/data/fitted.h"

#include "runtime/base/file.h"
#include "runtime/base/printable.h"
#include "runtime/data/cache.h"
#include "runtime/data/dataset.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock {

namespace fs = std::filesystem;
using Json = nlohmann::json;

double Fitted::fillOf(const RecordProgram &program, std::size_t column) const {
  switch (program.columns[column].fill) {
  case ColumnSpec::Fill::mean:
    return numbers[column].mean;
  case ColumnSpec::Fill::median:
    return numbers[column].median;
  case ColumnSpec::Fill::value:
    return program.columns[column].fillValue;
  case ColumnSpec::Fill::none:
    break;
  }
  return 0;
}

std::vector<std::size_t> Fitted::classCounts() const {
  std::vector<std::size_t> counts;
  for (const std::vector<std::string> &names : classes) {
    counts.push_back(names.size());
  }
  return counts;
}

Hash128 Fitted::idsKey(const RecordProgram &program, int split, const Hash128 &content) const {
  Hasher128 hasher;
  hasher.addPart("ids 3");
  hasher.addPart(program.identity);
  hasher.add(&content, sizeof(content));
  hasher.addPart(program.splitByHash ? splitNames[static_cast<std::size_t>(split)] : "");
  for (const FittedFeature &feature : features) {
    hasher.addPart(feature.identity);
    hasher.addPart(feature.state);
  }
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    for (const std::string &name : classes[i]) {
      hasher.addPart(name);
    }
    const double fill = fillOf(program, i);
    hasher.add(&fill, sizeof(fill));
  }
  return hasher.value();
}

Result<std::vector<std::pair<std::string, std::string>>> pathsIn(const std::string &parameters, const TokenizerInfo &info) {
  try {
    const Json json = Json::parse(parameters);
    std::vector<std::pair<std::string, std::string>> paths;
    for (const std::string &name : info.pathParameters) {
      if (json.contains(name) && json[name].is_string() && json[name] != "") {
        paths.emplace_back(name, json[name].get<std::string>());
      }
    }
    return paths;
  } catch (const std::exception &) {
    return internalError("the parameters of a tokenizer are not in their form");
  }
}

Result<std::string> tokenizerIdentity(const FeatureSpec &feature, const std::string &parameters, const TokenizerInfo &info) {
  PENSTOCK_ASSIGN(const auto paths, pathsIn(parameters, info));
  Json json = Json::parse(parameters);
  for (const auto &[name, path] : paths) {
    const Result<Hash128> content = hashPath(path);
    json[name] = content.ok() ? content.value().hex() : "unreadable " + path;
  }
  return feature.plugin + " " + info.version + " " + info.build + " " + json.dump();
}

std::string fileNameOf(const std::string &name) {
  std::string text;
  for (const char byte : name) {
    const auto code = static_cast<unsigned char>(byte);
    const bool plain =
        (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || (code >= '0' && code <= '9') || code == '_' || code == '-';
    text += plain ? std::string(1, byte) : fmt::format("%{:02X}", code);
  }
  return text;
}

namespace {

Status failure(const std::string &what, const std::string &path) {
  return environmentError(fmt::format("cannot {} `{}`: {}", what, path, std::strerror(errno)));
}

Status syncPath(const std::string &path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool good = descriptor >= 0 && ::fsync(descriptor) == 0;
  const Status status = good ? Status::success() : failure("write", path);
  if (descriptor >= 0) {
    ::close(descriptor);
  }
  return status;
}

Status writeFile(const std::string &path, std::string_view text) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return failure("write", path);
  }
  Status status;
  while (!text.empty() && status.ok()) {
    const ssize_t put = ::write(descriptor, text.data(), text.size());
    if (put > 0) {
      text.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno != EINTR) {
      status = failure("write", path);
    }
  }
  if (status.ok() && ::fsync(descriptor) != 0) {
    status = failure("write", path);
  }
  ::close(descriptor);
  return status;
}

/// The fitted state of a feature, from where the facts say it lies: a cache entry, or hexadecimal
/// digits in the facts.
Result<std::string> stateOf(const Json &facts, const std::string &feature) {
  if (facts.contains("states") && facts["states"].contains(feature)) {
    const std::string hex = facts["states"][feature].get<std::string>();
    std::string state;
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      state += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
    }
    return state;
  }
  const std::string path = facts.at("fitted").at(feature).get<std::string>();
  const std::shared_ptr<MappedFile> entry = Cache::open(path, "state", stateVersion);
  if (entry == nullptr) {
    return environmentError("the cache entry `" + path + "` is gone; run the command again");
  }
  return std::string(Cache::payloadOf(*entry));
}

/// Puts `from` in the place of `to` at once, even where `to` is a folder that holds something.
Status replaceFolder(const std::string &from, const std::string &to) {
  if (::rename(from.c_str(), to.c_str()) == 0) {
    return Status::success();
  }
  if (errno != ENOTEMPTY && errno != EEXIST) {
    return failure("write", to);
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    const std::string old = from + ".old";
    if (::rename(to.c_str(), old.c_str()) != 0 || ::rename(from.c_str(), to.c_str()) != 0) {
      return failure("write", to);
    }
    std::error_code error;
    fs::remove_all(old, error);
    return Status::success();
  }
  std::error_code error;
  fs::remove_all(from, error);
  return Status::success();
}

Status copyPath(const std::string &from, const std::string &to) {
  std::error_code error;
  fs::copy(from, to, fs::copy_options::recursive, error);
  if (error) {
    return environmentError(fmt::format("cannot copy `{}` to `{}`: {}", from, to, error.message()));
  }
  // A copy takes its source's mode; a run folder must be removable.
  fs::permissions(to, fs::perms::owner_write | fs::perms::owner_read, fs::perm_options::add, error);
  return fs::is_directory(to, error) ? Status::success() : syncPath(to);
}

Status writeFeature(const FeatureSpec &feature, const Json &facts, const std::string &folder, Json &index) {
  const Json &described = facts.at("tokenizers").at(feature.name);
  Json entry = {{"plugin", feature.plugin},
                {"plugin_version", described.at("version")},
                {"parameters", Json::parse(feature.parameters)},
                {"paths", Json::object()},
                {"state", nullptr}};
  for (const auto &[name, path] : described.at("paths").items()) {
    const std::string from = path.get<std::string>();
    const std::string file = fmt::format("{}.{}.{}", fileNameOf(feature.name), fileNameOf(name), fs::path(from).filename().string());
    PENSTOCK_TRY(copyPath(from, folder + "/" + file));
    entry["paths"][name] = file;
  }
  if (described.at("fits").get<bool>()) {
    PENSTOCK_ASSIGN(const std::string state, stateOf(facts, feature.name));
    const std::string file = fileNameOf(feature.name) + ".state";
    PENSTOCK_TRY(writeFile(folder + "/" + file, state));
    entry["state"] = file;
  }
  index["features"][feature.name] = std::move(entry);
  return Status::success();
}

Status writeInto(const RecordProgram &program, const Json &facts, const std::string &folder) {
  Json index = {{"version", 1}, {"features", Json::object()}};
  for (const FeatureSpec &feature : program.features) {
    PENSTOCK_TRY(writeFeature(feature, facts, folder, index));
  }
  Json classes = Json::object(), numbers = Json::object();
  for (const ColumnSpec &column : program.columns) {
    if (column.hasClasses()) {
      classes[column.name] = facts.at("classes").at(column.name).at("names");
    } else if (column.type == ColumnSpec::Type::number) {
      const Json &fact = facts.at("numbers").at(column.name);
      numbers[column.name] = {{"mean", fact.at("mean")}, {"std", fact.at("std")}, {"median", fact.at("median")}};
    }
  }
  PENSTOCK_TRY(writeFile(folder + "/tokenizers.json", index.dump(2) + "\n"));
  PENSTOCK_TRY(writeFile(folder + "/classes.json", classes.dump(2) + "\n"));
  PENSTOCK_TRY(writeFile(folder + "/numbers.json", numbers.dump(2) + "\n"));
  return syncPath(folder);
}

Result<FittedFeature> readFeature(const FeatureSpec &feature, const Json &entry, const std::string &folder, TokenizerFactory &factory) {
  const std::string plugin = entry.at("plugin").get<std::string>();
  if (plugin != feature.plugin) {
    return invalidInput(fmt::format("`{}` was fitted with the tokenizer `{}`, and the pipeline "
                                    "asks for `{}`; train again",
                                    feature.name, plugin, feature.plugin));
  }
  PENSTOCK_ASSIGN(const TokenizerInfo info, factory.info(plugin));
  FittedFeature fitted;
  fitted.version = info.version;
  Json parameters = entry.at("parameters");
  for (const auto &[name, file] : entry.at("paths").items()) {
    parameters[name] = folder + "/" + file.get<std::string>();
  }
  fitted.parameters = parameters.dump();
  if (!entry.at("state").is_null()) {
    PENSTOCK_ASSIGN(fitted.state, readWholeFile(folder + "/" + entry["state"].get<std::string>(), std::size_t{1} << 36));
  }
  PENSTOCK_ASSIGN(fitted.identity, tokenizerIdentity(feature, fitted.parameters, info));
  return fitted;
}

Result<Fitted> readFrom(const RecordProgram &program, const std::string &folder, TokenizerFactory &factory) {
  std::array<Json, 3> parts;
  const std::array<const char *, 3> names = {"tokenizers.json", "classes.json", "numbers.json"};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    PENSTOCK_ASSIGN(const std::string text, readWholeFile(folder + "/" + names[i], std::size_t{1} << 36));
    parts[i] = Json::parse(text);
  }
  if (parts[0].at("version") != 1) {
    return environmentError("`" + folder + "` was written by a newer version of Penstock");
  }
  Fitted fitted;
  for (const FeatureSpec &feature : program.features) {
    PENSTOCK_ASSIGN(FittedFeature read, readFeature(feature, parts[0].at("features").at(feature.name), folder, factory));
    fitted.features.push_back(std::move(read));
  }
  fitted.classes.resize(program.columns.size());
  fitted.numbers.resize(program.columns.size());
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    const ColumnSpec &column = program.columns[i];
    if (column.hasClasses()) {
      fitted.classes[i] = parts[1].at(column.name).get<std::vector<std::string>>();
    } else if (column.type == ColumnSpec::Type::number) {
      const Json &entry = parts[2].at(column.name);
      fitted.numbers[i] = {entry.at("mean").get<double>(), entry.at("std").get<double>(), entry.at("median").get<double>()};
    }
  }
  return fitted;
}

} // namespace

Result<Fitted> readFitted(const RecordProgram &program, const std::string &folder, TokenizerFactory &factory) {
  std::error_code error;
  const std::string absolute = fs::absolute(folder, error).lexically_normal().string();
  try {
    return readFrom(program, error ? folder : absolute, factory);
  } catch (const std::exception &) {
    return environmentError(fmt::format("`{}` is damaged: its files are not in the form in which a fit writes them", printable(folder)));
  }
}

Status makeTokenizers(const RecordProgram &program, Fitted &fitted, TokenizerFactory &factory) {
  for (std::size_t i = 0; i < fitted.features.size(); ++i) {
    FittedFeature &feature = fitted.features[i];
    if (feature.tokenizer == nullptr) {
      PENSTOCK_ASSIGN(feature.tokenizer, factory.make(program.features[i].plugin, feature.parameters, feature.state));
    }
  }
  return {};
}

Status writeFitted(const std::string &recordProgram, const std::string &facts, const std::string &folder) {
  PENSTOCK_ASSIGN(const RecordProgram program, RecordProgram::parse(recordProgram));
  std::string target = folder;
  while (target.size() > 1 && target.back() == '/') {
    target.pop_back();
  }
  std::error_code error;
  const fs::path parent = fs::path(target).parent_path();
  if (!parent.empty()) {
    fs::create_directories(parent, error);
    if (error) {
      return environmentError(fmt::format("cannot make the folder `{}`: {}", parent.string(), error.message()));
    }
  }
  std::string temporary = target + ".XXXXXX";
  if (::mkdtemp(temporary.data()) == nullptr) {
    return failure("make a folder beside", target);
  }
  ::chmod(temporary.c_str(), 0755);
  Status status;
  try {
    status = writeInto(program, Json::parse(facts), temporary);
  } catch (const std::exception &) {
    status = internalError("the facts lack what was fitted");
  }
  if (status.ok()) {
    status = replaceFolder(temporary, target);
  }
  if (!status.ok()) {
    fs::remove_all(temporary, error);
    return status;
  }
  return syncPath(parent.empty() ? "." : parent.string());
}

} // namespace penstock
