#include "runtime/data/fitted.h"

#include "runtime/base/disk_cache.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/data/dataset.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::vector<std::size_t> Fitted::classCounts() const {
  std::vector<std::size_t> counts;
  for (const std::vector<std::string> &names : classes) {
    counts.push_back(names.size());
  }
  return counts;
}

Hash128 Fitted::idsKey(const RecordProgram &program, int split, const Hash128 &content) const {
  Hasher128 hasher;
  hasher.addPart("ids 5");
  hasher.addPart(program.identity);
  hasher.add(&content, sizeof(content));
  hasher.addPart(program.isOneFile() ? splitNames[static_cast<std::size_t>(split)] : "");
  if (program.splitBy == RecordProgram::SplitBy::hash) {
    hasher.addPart("keys 2"); // of a cleaned text, since this
  }
  for (const FittedFeature &feature : features) {
    hasher.addPart(feature.identity);
    hasher.addPart(feature.state);
  }
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    for (const std::string &name : classes[i]) {
      hasher.addPart(name);
    }
  }
  for (const DerivedStates &steps : derived) {
    for (const std::vector<OperatorState> &step : steps) {
      for (const OperatorState &state : step) {
        hasher.add(state.data(), state.size() * sizeof(double));
      }
    }
  }
  return hasher.value();
}

namespace {

GivenPath givenPath(const PathParameter &parameter, const std::string &path) {
  GivenPath given = {parameter.name, path, "", {}};
  if (parameter.files.empty() && parameter.beside.empty()) {
    return given;
  }
  std::error_code error;
  std::vector<std::string> names = parameter.beside;
  given.folder = path;
  if (fs::is_directory(path, error)) {
    names.insert(names.begin(), parameter.files.begin(), parameter.files.end());
  } else {
    given.folder = fs::path(path).parent_path().string();
    given.files.push_back(fs::path(path).filename().string());
  }
  for (const std::string &name : names) {
    if (fs::exists(fs::path(given.folder) / name, error) && std::find(given.files.begin(), given.files.end(), name) == given.files.end()) {
      given.files.push_back(name);
    }
  }
  return given;
}

} // namespace

Result<std::vector<GivenPath>> pathsIn(const std::string &parameters, const TokenizerInfo &info) {
  const Json json = Json::parse(parameters, nullptr, false);
  if (!json.is_object()) {
    return internalError("the parameters of a tokenizer are not a JSON object");
  }
  std::vector<GivenPath> paths;
  for (const PathParameter &parameter : info.pathParameters) {
    const auto found = json.find(parameter.name);
    if (found != json.end() && found->is_string() && *found != "") {
      paths.push_back(givenPath(parameter, found->get<std::string>()));
    }
  }
  return paths;
}

Result<std::string> tokenizerIdentity(const LinkedFeature &feature, const std::string &parameters, const TokenizerInfo &info) {
  PENSTOCK_ASSIGN(const auto paths, pathsIn(parameters, info));
  Json json = Json::parse(parameters);
  const auto hashOf = [](const std::string &path) {
    const Result<Hash128> content = hashPath(path);
    return content.ok() ? content.value().hex() : "unreadable " + path;
  };
  for (const GivenPath &given : paths) {
    if (given.files.empty()) {
      json[given.name] = hashOf(given.path);
      continue;
    }
    json[given.name] = {{"whole", given.folder == given.path}};
    for (const std::string &file : given.files) {
      json[given.name]["files"][file] = hashOf(given.folder + "/" + file);
    }
  }
  return feature.plugin + " " + info.version + " " + info.build + " " + json.dump();
}

namespace {

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
  const std::shared_ptr<MappedFile> entry = DiskCache::open(path, "state", stateVersion);
  if (entry == nullptr) {
    return environmentError("the cache entry `" + path + "` is gone; run the command again");
  }
  return std::string(DiskCache::payloadOf(*entry));
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

Status writeFeature(const LinkedFeature &feature, const Json &facts, const std::string &folder, Json &index) {
  const Json &described = facts.at("tokenizers").at(feature.name);
  Json entry = {{"plugin", feature.plugin},
                {"plugin_version", described.at("version")},
                {"parameters", Json::parse(feature.parameters)},
                {"paths", Json::object()},
                {"state", nullptr}};
  const Json nothing = Json::object();
  const Json &read = described.contains("files") ? described["files"] : nothing;
  for (const auto &[name, path] : described.at("paths").items()) {
    entry["parameters"].erase(name); // that is where it lay: it is read where `paths` says
    const std::string from = path.get<std::string>(), prefix = fmt::format("{}.{}", fileNameOf(feature.name), fileNameOf(name));
    if (!read.contains(name)) {
      const std::string file = prefix + "." + fs::path(from).filename().string();
      PENSTOCK_TRY(copyPath(from, folder + "/" + file));
      entry["paths"][name] = file;
      continue;
    }
    // The files that the plugin reads, in a folder of their own, so that they lie beside each other as they did.
    const std::string source = read[name].at("folder").get<std::string>();
    PENSTOCK_TRY(makeFolders(folder + "/" + prefix));
    for (const Json &file : read[name].at("names")) {
      const std::string one = file.get<std::string>();
      PENSTOCK_TRY(copyPath(source + "/" + one, folder + "/" + prefix + "/" + one));
    }
    PENSTOCK_TRY(syncPath(folder + "/" + prefix));
    entry["paths"][name] = source == from ? prefix : prefix + "/" + fs::path(from).filename().string();
  }
  if (described.at("fits").get<bool>()) {
    PENSTOCK_ASSIGN(const std::string state, stateOf(facts, feature.name));
    const std::string file = vocabularyFile(feature.name);
    PENSTOCK_TRY(writeFileAtomically(folder + "/" + file, state, false));
    entry["state"] = file;
  }
  index["features"][feature.name] = std::move(entry);
  return Status::success();
}

/// The one part that is of train even where the rest is taken from an earlier fit.
Status writeCounts(const Json &facts, const std::string &folder) {
  return writeFileAtomically(folder + "/" + countsFile, facts.at("inputs").dump(2) + "\n", false);
}

Status writeInto(const RecordProgram &program, const Json &facts, const std::string &folder) {
  Json index = {{"version", 1}, {"features", Json::object()}};
  for (const LinkedFeature &feature : program.features) {
    PENSTOCK_TRY(writeFeature(feature, facts, folder, index));
  }
  Json classes = Json::object(), numbers = Json::object();
  for (const ColumnSpec &column : program.columns) {
    if (column.hasClasses()) {
      classes[column.name] = facts.at("classes").at(column.name).at("names");
    }
  }
  for (const DerivedFeature &feature : program.derived) {
    numbers[feature.name] = facts.at("operators").at(feature.name);
  }
  PENSTOCK_TRY(writeFileAtomically(folder + "/" + tokenizersFile, index.dump(2) + "\n", false));
  PENSTOCK_TRY(writeFileAtomically(folder + "/" + classesFile, classes.dump(2) + "\n", false));
  PENSTOCK_TRY(writeCounts(facts, folder));
  return writeFileAtomically(folder + "/" + numbersFile, numbers.dump(2) + "\n", false);
}

/// Where the members of a damaged file are missing or of another kind.
struct Unfit {
  std::string file;
};

const Json &member(const Json &json, const std::string &name, const char *file) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  if (found == json.end()) {
    throw Unfit{file};
  }
  return *found;
}

Result<Json> readPart(const FittedFolder &folder, const char *name) {
  PENSTOCK_ASSIGN(const std::string text, readFittedFile(folder, name));
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    throw Unfit{name};
  }
  return json;
}

Result<FittedFeature> readFeature(const LinkedFeature &feature, const Json &entry, const FittedFolder &folder, DataPlugins &factory) {
  const std::string plugin = member(entry, "plugin", tokenizersFile).get<std::string>();
  if (plugin != feature.plugin) {
    return invalidInput(fmt::format("`{}` was fitted with the tokenizer `{}`, and the pipeline "
                                    "asks for `{}`; train again",
                                    feature.name, plugin, feature.plugin));
  }
  PENSTOCK_ASSIGN(const TokenizerInfo info, factory.info(plugin));
  FittedFeature fitted;
  fitted.version = info.version;
  Json parameters = member(entry, "parameters", tokenizersFile);
  for (const auto &[name, file] : member(entry, "paths", tokenizersFile).items()) {
    fitted.paths.push_back(file.get<std::string>());
    PENSTOCK_TRY(checkFittedPath(folder, fitted.paths.back()));
    parameters[name] = folder.path + "/" + fitted.paths.back();
  }
  fitted.parameters = parameters.dump();
  if (const Json &state = member(entry, "state", tokenizersFile); !state.is_null()) {
    PENSTOCK_ASSIGN(fitted.state, readFittedFile(folder, state.get<std::string>()));
  }
  PENSTOCK_ASSIGN(fitted.identity, tokenizerIdentity(feature, fitted.parameters, info));
  return fitted;
}

Result<Fitted> readFrom(const RecordProgram &program, const FittedFolder &folder, DataPlugins &factory) {
  PENSTOCK_ASSIGN(const Json tokenizers, readPart(folder, tokenizersFile));
  PENSTOCK_ASSIGN(const Json classes, readPart(folder, classesFile));
  PENSTOCK_ASSIGN(const Json numbers, readPart(folder, numbersFile));
  if (member(tokenizers, "version", tokenizersFile) != 1) {
    return environmentError("`" + folder.path + "` was written by a newer version of Penstock");
  }
  // What is missing in a whole folder is a run of another file.
  const auto fitOf = [&](const Json &json, const std::string &name, const char *what) -> Result<Json> {
    const auto found = json.find(name);
    if (found != json.end()) {
      return *found;
    }
    std::string names;
    for (const auto &[known, value] : json.items()) {
      names += (names.empty() ? "`" : ", `") + known + "`";
    }
    return invalidInput(fmt::format("`{}` holds nothing that was fitted to the {} `{}`: its run was made from a file with {}", folder.path,
                                    what, name, names.empty() ? "none" : names));
  };
  Fitted fitted;
  fitted.folder = folder;
  for (const LinkedFeature &feature : program.features) {
    PENSTOCK_ASSIGN(const Json entry, fitOf(member(tokenizers, "features", tokenizersFile), feature.name, "feature"));
    PENSTOCK_ASSIGN(FittedFeature read, readFeature(feature, entry, folder, factory));
    fitted.features.push_back(std::move(read));
  }
  fitted.classes.resize(program.columns.size());
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    const ColumnSpec &column = program.columns[i];
    if (column.hasClasses()) {
      PENSTOCK_ASSIGN(const Json names, fitOf(classes, column.name, "column"));
      fitted.classes[i] = names.get<std::vector<std::string>>();
    }
  }
  for (const DerivedFeature &feature : program.derived) {
    PENSTOCK_ASSIGN(const Json entry, fitOf(numbers, feature.name, "feature"));
    fitted.derived.push_back(entry.get<DerivedStates>());
    if (!fitsSteps(feature, fitted.derived.back())) {
      return invalidInput(fmt::format("`{}` holds other statistics than `{}` needs: its run was made from a file where that feature has "
                                      "other operators; train again",
                                      folder.path, feature.name));
    }
  }
  return fitted;
}

} // namespace

Result<Fitted> readFitted(const RecordProgram &program, const FittedFolder &folder, DataPlugins &factory) {
  std::error_code error;
  FittedFolder absolute = folder;
  if (const fs::path path = fs::absolute(folder.path, error); !error) {
    absolute.path = path.lexically_normal().string();
  }
  const auto damaged = [&](const std::string &file) {
    return damagedFile(absolute.path + (file.empty() ? "" : "/" + file), "it does not hold what a run fits");
  };
  try {
    return readFrom(program, absolute, factory);
  } catch (const Unfit &unfit) {
    return damaged(unfit.file);
  } catch (const Json::exception &) {
    return damaged("");
  }
}

Result<std::function<double(double)>> inverseOf(const RecordsSpec &records, const FittedFolder &folder, const std::string &feature) {
  PENSTOCK_ASSIGN(const RecordProgram program, RecordProgram::link(records));
  const auto derived =
      std::find_if(program.derived.begin(), program.derived.end(), [&](const DerivedFeature &one) { return one.name == feature; });
  if (derived == program.derived.end()) {
    return internalError("there is no feature `" + feature + "` on a target; please report this");
  }
  try {
    PENSTOCK_ASSIGN(const Json numbers, readPart(folder, numbersFile));
    DerivedStates states = member(numbers, feature, numbersFile).get<DerivedStates>();
    if (fitsSteps(*derived, states)) {
      return std::function<double(double)>(
          [steps = *derived, states = std::move(states)](double result) { return invertSteps(steps, states, result); });
    }
  } catch (const Unfit &) {
  } catch (const Json::exception &) {
  }
  return damagedFile(folder.path + "/" + numbersFile, "it does not hold what a run fits");
}

Status makeTokenizers(const RecordProgram &program, Fitted &fitted, DataPlugins &factory) {
  for (std::size_t i = 0; i < fitted.features.size(); ++i) {
    FittedFeature &feature = fitted.features[i];
    if (feature.tokenizer == nullptr) {
      PENSTOCK_ASSIGN(feature.tokenizer, factory.make(program.features[i].plugin, feature.parameters, feature.state));
      for (const std::string &path : feature.paths) {
        PENSTOCK_TRY(checkFittedPath(fitted.folder, path));
      }
    }
  }
  return {};
}

Result<FittedFolder> writeFitted(const RecordsSpec &records, const std::string &facts, const std::string &folder,
                                 const FittedFolder *earlier) {
  PENSTOCK_ASSIGN(const RecordProgram program, RecordProgram::link(records));
  std::string target = folder;
  while (target.size() > 1 && target.back() == '/') {
    target.pop_back();
  }
  Result<std::map<std::string, std::string>> hashes = Status();
  PENSTOCK_TRY(writeFolderAtomically(target, [&](const std::string &temporary) -> Status {
    const Json json = Json::parse(facts, nullptr, false);
    try {
      PENSTOCK_TRY(earlier != nullptr ? writeCounts(json, temporary) : writeInto(program, json, temporary));
    } catch (const Json::exception &) {
      return internalError("the facts about the data lack what was fitted; please report this");
    }
    hashes = hashesBelow(temporary);
    return hashes.status();
  }));
  FittedFolder written(target, *std::move(hashes));
  for (const auto &[name, bytes] : earlier == nullptr ? std::map<std::string, std::string_view>() : earlier->held) {
    if (written.hashes.try_emplace(name, hash64Hex(bytes)).second) {
      written.held[name] = bytes;
    }
  }
  return written;
}

} // namespace penstock
