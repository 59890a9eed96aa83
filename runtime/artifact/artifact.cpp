#include "runtime/artifact/artifact.h"

#include "runtime/artifact/linked.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/hash.h"
#include "runtime/base/memory_file.h"
#include "runtime/device/devices.h"

#include <nlohmann/json.hpp>

#include <dlfcn.h>
#include <sys/auxv.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
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

/// A path by which the system loads a library of these bytes. It stays as long as the process: the system knows a library that it has by
/// its path, and would take it for another one that has the path later.
static Result<std::string> libraryInMemory(const std::string &plugin, std::string_view bytes) {
  static std::mutex mutex;
  static std::map<Hash128, Descriptor> files;
  const std::lock_guard<std::mutex> guard(mutex);
  Descriptor &file = files[hash128(bytes)];
  if (!file.ok()) {
    file = memoryFile(bytes, "penstock-plugin");
  }
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  return file.ok() && fileExists(path)
             ? Result<std::string>(path)
             : environmentError("the plugin `" + plugin +
                                "` lies in this file, and is run from a file in memory, by its name in `/proc`: this "
                                "system has no such files; build without `--single-file`");
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
  PENSTOCK_TRY(made->openPlugins(place));
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
    said.name = about.at("name").get<std::string>();
    said.resolved = about.at("resolved").get<std::string>();
    said.precision = about.at("precision").get<std::string>();
    said.differences = about.at("differences").get<std::vector<std::string>>();
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

Status Artifact::openPlugins(const std::string &folder) {
  std::vector<GivenPlugin> given;
  for (const std::string &name : pluginNames) {
    PENSTOCK_ASSIGN(const std::string_view manifest, data->section("plugin/" + name));
    GivenPlugin &plugin = given.emplace_back(GivenPlugin{std::string(manifest), nullptr, ""});
    if (data->has("library/" + name)) {
      PENSTOCK_ASSIGN(const std::string_view bytes, data->section("library/" + name));
      PENSTOCK_ASSIGN(plugin.library, libraryInMemory(name, bytes));
    } else if (data->has("library hash/" + name)) {
      plugin.library = folder + "/" + artifactPluginFolder + "/" + artifactPluginFile(name);
      PENSTOCK_ASSIGN(const std::string_view wanted, data->section("library hash/" + name));
      PENSTOCK_ASSIGN(const std::string bytes, readWholeFile(plugin.library));
      if (hash128(bytes).hex() != wanted) {
        return damagedFile(plugin.library, "it is not the library of the plugin that this artifact was built with");
      }
    } else if (plugin.entry = linkedPlugin(name.substr(name.find(' ') + 1)); plugin.entry == nullptr) {
      return environmentError("this artifact has no code of its plugin `" + name + "`: its library and its data are of two artifacts");
    }
  }
  PENSTOCK_ASSIGN(plugins, PluginHost::given(given));
  return {};
}

// A device packs the weights for itself, so it needs all of them.
Status Artifact::openOnDevice(const PenstockProgram &program, Device &device, const std::string &kind) {
  PENSTOCK_ASSIGN(const std::string_view fingerprint, data->section("program/" + kind));
  if (fingerprint != programFingerprint(program)) {
    return environmentError("the data of this artifact belong to another program: its library and its data are of two artifacts");
  }
  PENSTOCK_ASSIGN(const std::string_view bytes, data->section(allWeightsSection));
  PENSTOCK_ASSIGN(const auto weights, SafetensorsFile::lent(bytes, fitted.path));
  PENSTOCK_ASSIGN(const std::shared_ptr<Model> opened, Model::open(program, device));
  PENSTOCK_TRY(opened->load(TensorClass::parameter, *weights));
  PENSTOCK_TRY(opened->load(TensorClass::fitted, *weights));
  PENSTOCK_ASSIGN(const std::unique_ptr<ThreadPool> pool, ThreadPool::create(1));
  PENSTOCK_TRY(opened->pack(*pool));
  model = opened;
  return {};
}

Status Artifact::openModel() {
  // Who names a level asks for the CPU.
  for (const std::string kind : artifactDevices) {
    const PenstockProgram *const program = std::getenv("PENSTOCK_LEVEL") == nullptr ? linkedDeviceProgram(kind) : nullptr;
    if (program == nullptr || !data->has("program/" + kind)) {
      continue;
    }
    if (const Result<Device *> device = openDevice(kind); device.ok()) {
      return openOnDevice(*program, **device, kind);
    }
  }
  PENSTOCK_ASSIGN(const Level machine, machineLevel());
  const PenstockProgram *program = nullptr;
  std::string brought;
  for (const Level level : bestFirst) {
    const PenstockProgram *const found = linkedProgram(level);
    if (found != nullptr && data->has("program/" + std::string(levelName(level)))) {
      brought += (brought.empty() ? "`" : ", `") + std::string(levelName(level)) + "`";
      if (program == nullptr && level <= machine) {
        program = found;
      }
    }
  }
  if (brought.empty()) {
    return environmentError("the data of this artifact are of other levels than its library: they are of two artifacts");
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
  PENSTOCK_ASSIGN(const std::string_view formats, data->section("formats/" + level));
  weights.formats.resize(formats.size() / sizeof(std::int32_t));
  std::memcpy(weights.formats.data(), formats.data(), weights.formats.size() * sizeof(std::int32_t));
  for (int i = 0; i < program->dispatches.count; ++i) {
    PENSTOCK_ASSIGN(const std::string_view packed, data->section("packed/" + level + "/" + std::to_string(i)));
    weights.packed.push_back(packed);
  }
  PENSTOCK_ASSIGN(model, Model::open(*program, weights));
  return {};
}

} // namespace penstock
