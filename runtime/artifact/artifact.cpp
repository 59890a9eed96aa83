#include "runtime/artifact/artifact.h"

#include "runtime/artifact/linked.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"

#include <nlohmann/json.hpp>

#include <dlfcn.h>
#include <sys/auxv.h>

#include <string_view>

namespace penstock {

using Json = nlohmann::json;

std::string artifactFile() {
  Dl_info info{}, started{};
  if (::dladdr(reinterpret_cast<const void *>(&artifactFile), &info) == 0 || info.dli_fname == nullptr) {
    return "";
  }
  // Of the program that was started the loader knows the name alone.
  if (::dladdr(reinterpret_cast<const void *>(::getauxval(AT_ENTRY)), &started) != 0 && started.dli_fbase == info.dli_fbase) {
    if (const auto *const path = reinterpret_cast<const char *>(::getauxval(AT_EXECFN)); path != nullptr) {
      return path;
    }
  }
  return info.dli_fname;
}

Result<std::shared_ptr<const Artifact>> Artifact::open(const std::string &folder, bool verify) {
  const std::string file = artifactFile(), place = folder.empty() ? folderOf(file) : folder;
  std::shared_ptr<Artifact> made(new Artifact);
  if (folder.empty() && isSingleFile()) {
    PENSTOCK_ASSIGN(made->data, Bundle::openAppended(file));
    if (made->data == nullptr) {
      return damagedFile(file, "its end, which holds the data, is not there");
    }
  } else {
    PENSTOCK_ASSIGN(made->data, Bundle::open(place + "/" + artifactDataFile));
  }
  if (verify) {
    PENSTOCK_TRY(made->data->verify());
  }
  PENSTOCK_TRY(made->readAbout(place));
  PENSTOCK_ASSIGN(const std::string_view types, made->data->section("types"));
  if (types != linkedTypes()) {
    return environmentError("the data in `" + place +
                            "` have other columns, fields or classes than the library: they are of two artifacts");
  }
  PENSTOCK_TRY(made->openPlugins());
  PENSTOCK_TRY(made->openModel());
  PENSTOCK_ASSIGN(made->answering, Predictor::open(made->described, made->fitted, *made->plugins, *made->model));
  return std::shared_ptr<const Artifact>(std::move(made));
}

Status Artifact::readAbout(const std::string &folder) {
  PENSTOCK_ASSIGN(const std::string_view text, data->section("about"));
  PENSTOCK_ASSIGN(const std::string_view config, data->section("config"));
  const std::string file = folder + "/" + artifactDataFile;
  const Json about = Json::parse(text, nullptr, false);
  try {
    if (about.at("format").get<int>() != artifactFormat) {
      return environmentError("the data of this artifact have format " + about.at("format").dump() + ", this is format " +
                              std::to_string(artifactFormat) + "; take both of one artifact");
    }
    called = about.at("name").get<std::string>();
    pluginNames = about.at("plugins").get<std::vector<std::string>>();
  } catch (const Json::exception &) {
    return damagedFile(file, "what it says of itself cannot be read");
  }
  PENSTOCK_ASSIGN(described, RunConfig::fromJson(std::string(config)));
  fitted.path = file; // in messages: all of it is held
  for (const std::string &name : data->namesWith("fitted/")) {
    PENSTOCK_ASSIGN(fitted.held[name.substr(std::string_view("fitted/").size())], data->section(name));
  }
  return {};
}

Status Artifact::openPlugins() {
  std::vector<LinkedPlugin> linked;
  for (const std::string &name : pluginNames) {
    PENSTOCK_ASSIGN(const std::string_view manifest, data->section("plugin/" + name));
    const PenstockPluginFunction entry = linkedPlugin(name);
    if (entry == nullptr) {
      return environmentError("this artifact has no code of its plugin `" + name + "`: its library and its data are of two artifacts");
    }
    linked.push_back({std::string(manifest), entry});
  }
  PENSTOCK_ASSIGN(plugins, PluginHost::linked(linked));
  return {};
}

Status Artifact::openModel() {
  PENSTOCK_ASSIGN(const Level machine, machineLevel());
  const PenstockProgram *program = nullptr;
  std::string brought;
  for (const Level level : {Level::amx, Level::avx512, Level::avx2}) {
    if (const PenstockProgram *const found = linkedProgram(level); found != nullptr) {
      brought += (brought.empty() ? "`" : ", `") + std::string(levelName(level)) + "`";
      if (program == nullptr && level <= machine) {
        program = found;
      }
    }
  }
  if (program == nullptr) {
    return environmentError("this artifact has code for machines of level " + brought + ", this one is `" +
                            std::string(levelName(machine)) + "`; build it with `--level " + std::string(levelName(machine)) +
                            "` or `--level all`");
  }
  const std::string level = program->level;
  PENSTOCK_ASSIGN(const std::string_view fingerprint, data->section("program/" + level));
  if (fingerprint != programFingerprint(*program)) {
    return environmentError("the data of this artifact belong to another program: its library and its data are of two artifacts");
  }
  Model::ReadyWeights weights;
  PENSTOCK_ASSIGN(const std::string_view parameters, data->section("parameters"));
  PENSTOCK_ASSIGN(const std::string_view fittedTensors, data->section("fitted tensors"));
  if (parameters.size() != static_cast<std::size_t>(program->parameter_elements - program->packed_elements) * sizeof(float) ||
      fittedTensors.size() != static_cast<std::size_t>(program->fitted_elements) * sizeof(float)) {
    return environmentError("the data of this artifact have other sizes than its program: its library and its data are of two artifacts");
  }
  weights.parameters = reinterpret_cast<const float *>(parameters.data());
  weights.fitted = reinterpret_cast<const float *>(fittedTensors.data());
  for (int i = 0; i < program->dispatch_count; ++i) {
    PENSTOCK_ASSIGN(const std::string_view packed, data->section("packed/" + level + "/" + std::to_string(i)));
    weights.packed.push_back(packed);
  }
  PENSTOCK_ASSIGN(model, Model::open(*program, weights));
  return {};
}

} // namespace penstock
