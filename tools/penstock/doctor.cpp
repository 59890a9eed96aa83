// `penstock doctor`: what this machine offers and what is missing. Loads no compiler.
#include "tools/penstock/commands.h"

#include "runtime/base/cores.h"
#include "runtime/base/device_names.h"
#include "runtime/base/disk_cache.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/printable.h"
#include "runtime/cuda/cards.h"
#include "runtime/kernels/kernel_tuning.h"
#include "runtime/kernels/machine_speed.h"
#include "runtime/plugin/plugin_host.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

namespace penstock {
namespace {

using Json = nlohmann::ordered_json;

struct Finding {
  std::string name, value;
  bool good = true;
};

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown";
}

std::string memory() {
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 30);
  return fmt::format("{:.1f} GiB, {:.1f} free", page * static_cast<double>(::sysconf(_SC_PHYS_PAGES)),
                     page * static_cast<double>(::sysconf(_SC_AVPHYS_PAGES)));
}

Finding oneDnn() {
  const Result<std::string> version = oneDnnVersion();
  return {"oneDNN", version.ok() ? *version : version.status().message()};
}

Finding compiler() {
  std::error_code error;
  const std::filesystem::path own = commandFolder();
  for (const std::filesystem::path &folder :
       {std::filesystem::path("/usr/lib/llvm-22/lib"), own / "../lib", std::filesystem::path("/usr/lib/x86_64-linux-gnu"),
        std::filesystem::path("/usr/local/lib")}) {
    std::filesystem::directory_iterator entry(folder, error), end;
    for (; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name.starts_with("libMLIR.so.22")) {
        return {"MLIR", entry->path().string()};
      }
    }
  }
  return {"MLIR",
          "libMLIR.so.22 is in no usual place; cached programs run, new ones cannot be compiled "
          "(install `libmlir-22`)",
          false};
}

/// A machine without a card is as good as any: `target.device: cuda` alone asks for one.
void addCards(std::vector<Finding> &findings) {
  const Result<cuda::Cards> found = cuda::findCards();
  if (!found.ok()) {
    findings.push_back({"cuda driver", "none: " + found.status().message()});
    return;
  }
  findings.push_back({"cuda driver", fmt::format("`{}`, for CUDA {}", found->file, found->version)});
  if (const char *const visible = std::getenv("CUDA_VISIBLE_DEVICES"); visible != nullptr) {
    findings.back().value += fmt::format("; `CUDA_VISIBLE_DEVICES` is `{}`", visible);
  }
  for (std::size_t i = 0; i < found->cards.size(); ++i) {
    const cuda::Card &card = found->cards[i];
    constexpr double gib = 1 << 30;
    findings.push_back(
        {deviceText({"cuda", static_cast<int>(i)}),
         fmt::format("{}, {:.1f} GiB, {:.1f} free, compute capability {}.{}{}, {} multiprocessors, at {}", card.name,
                     static_cast<double>(card.total) / gib, static_cast<double>(card.free) / gib, card.architecture / 10,
                     card.architecture % 10, card.architecture < 80 ? " (8.0 is needed)" : "", card.multiprocessors, card.bus)});
  }
}

/// What all cores together do at best.
Finding speed(Level level) {
  const Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::create(0);
  if (!pool.ok()) {
    return {"speed", pool.status().message(), false};
  }
  const Result<MachineSpeed> measured = measureMachine(level, **pool);
  if (!measured.ok()) {
    return {"speed", measured.status().message(), false};
  }
  const std::string bf16 = measured->bf16 > 0 ? fmt::format("{:.0f} GFLOP/s bf16, ", measured->bf16 * 1e-9) : "";
  return {"speed", fmt::format("{:.0f} GFLOP/s fp32, {}{:.1f} GB/s of memory", measured->fp32 * 1e-9, bf16, measured->stream * 1e-9)};
}

std::vector<Finding> examine(const CommandContext &context) {
  std::vector<Finding> findings;
  findings.push_back({"penstock", context.version});
  findings.push_back({"processor", processor()});
  const Result<Level> level = machineLevel();
  findings.push_back({"level", level.ok() ? std::string(levelName(*level)) : level.status().message(), level.ok()});
  if (level.ok()) {
    const std::string_view by = bf16Instructions(*level);
    findings.push_back({"bf16", by.empty() ? "no instructions for it; `precision: bf16` is computed in float32" : std::string(by)});
  }
  findings.push_back({"cores", fmt::format("{} usable", usableCores())});
  if (level.ok()) {
    findings.push_back(speed(*level));
  }
  findings.push_back({"memory", memory()});
  addCards(findings);
  findings.push_back(oneDnn());
  findings.push_back(compiler());
  const Result<std::string> cache = cacheFolder();
  findings.push_back({"cache", cache.ok() ? *cache : cache.status().message(), cache.ok()});
  const Result<std::shared_ptr<PluginHost>> host = PluginHost::create(context.pluginFolders);
  if (!host.ok()) {
    findings.push_back({"plugins", host.status().message(), false});
    return findings;
  }
  if ((*host)->manifests().empty()) {
    findings.push_back({"plugins", "none found; set PENSTOCK_PLUGINS or use --plugins", false});
  }
  for (const PluginManifest &manifest : (*host)->manifests()) {
    const Result<const PenstockPlugin *> loaded = (*host)->load(manifest.name, manifest.kind);
    findings.push_back({"plugin " + manifest.name, loaded.ok() ? manifest.version : loaded.status().message(), loaded.ok()});
  }
  for (const Status &problem : (*host)->problems()) {
    findings.push_back({"plugin", problem.message(), false});
  }
  return findings;
}

/// Measures which kernels are the fastest here and writes the table that `kernels: tuned` reads.
Status tune(bool json) {
  PENSTOCK_ASSIGN(const Level level, machineLevel());
  PENSTOCK_ASSIGN(const std::string folder, cacheFolder());
  PENSTOCK_ASSIGN(const KernelTuning tuning, tuneKernels(level));
  const std::string path = kernelTuningPath(folder, level), text = kernelTuningText(tuning);
  PENSTOCK_TRY(writeFileAtomically(path, text));
  if (json) {
    Json object = Json::parse(text, nullptr, false);
    object["table"] = path;
    fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace));
    return {};
  }
  for (const KernelChoice &choice : tuning.choices) {
    fmt::print("{:<8} {:<8} {:<8} {}\n", choice.kind, shapeClassName(choice.shape), choice.implementation, choice.measured);
  }
  fmt::print("written to {}; `kernels: tuned` reads it at level {}\n", printable(path), tuning.level);
  return {};
}

} // namespace

void addDoctorCommand(CLI::App &app, CommandContext &context) {
  auto json = std::make_shared<bool>(false);
  CLI::App *command = app.add_subcommand("doctor", "look at this machine and say what is missing");
  command->add_flag("--json", *json, "print one JSON object");
  auto tunes = std::make_shared<bool>(false);
  command->add_flag("--tune", *tunes, "measure which kernels are the fastest here, for `kernels: tuned`");
  setExamples(*command, {"penstock doctor"});
  command->callback([json, tunes, &context] {
    if (*tunes) {
      if (const Status status = tune(*json); !status.ok()) {
        context.fail(status);
      }
      return;
    }
    const std::vector<Finding> findings = examine(context);
    Json object = Json::object();
    std::string bad;
    for (const Finding &finding : findings) {
      object[finding.name] = {{"value", finding.value}, {"good", finding.good}};
      if (!*json) {
        fmt::print("{:<28} {}{}\n", finding.name, finding.good ? "" : "!! ", printable(finding.value));
      }
      if (!finding.good) {
        bad += (bad.empty() ? "" : ", ") + finding.name;
      }
    }
    if (*json) {
      fmt::print("{}\n", object.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    if (!bad.empty()) {
      context.fail(environmentError("this machine is not ready for all of penstock: " + bad));
    }
  });
}

} // namespace penstock
