#include "compiler/driver/link_artifact.h"

#include "compiler/linker/linker.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"

#include <fmt/format.h>

#include <cctype>
#include <string_view>

namespace penstock {
namespace {

/// The folder with what artifacts are linked of, beside the command as built or as installed.
Result<std::string> partsFolder() {
  const std::string folder = commandFolder() + "/../lib/penstock/artifact";
  if (!fileExists(folder + "/libpenstock_artifact.a")) {
    return environmentError(fmt::format("`{}` is not there: what artifacts are linked of is not installed beside this command", folder));
  }
  return folder;
}

/// The command starts the library beside it, whose name is written into a copy of the launcher.
Status writeCommand(const std::string &launcher, const std::string &library, const std::string &output) {
  static constexpr std::string_view place = "@PENSTOCK-ARTIFACT-LIBRARY@";
  constexpr std::size_t room = 256; // of the launcher's text
  PENSTOCK_ASSIGN(std::string bytes, readWholeFile(launcher));
  const std::size_t at = bytes.find(place);
  if (at == std::string::npos || bytes.size() - at < room || library.size() >= room) {
    return internalError("the command of an artifact has no place for the name of its library; please report this");
  }
  bytes.replace(at, room, library + std::string(room - library.size(), '\0'));
  return writeExecutable(output, bytes);
}

} // namespace

Status linkArtifact(const ArtifactParts &parts) {
  PENSTOCK_ASSIGN(const std::string from, partsFolder());
  const std::string library = fmt::format("{}/lib{}.so", parts.folder, parts.name), script = parts.folder + "/exports";
  AtomicFile exports(script); // never published
  PENSTOCK_TRY(exports.open());
  PENSTOCK_TRY(exports.write(fmt::format("{{ global: {}_*; local: *; }};\n", parts.name)));
  std::vector<std::string> words = {"-shared",
                                    "-nostdlib",
                                    "--no-undefined",
                                    "--gc-sections",
                                    "--icf=safe",
                                    "-z",
                                    "now",
                                    "-z",
                                    "relro",
                                    "--hash-style=gnu",
                                    "--build-id=none",
                                    "--eh-frame-hdr",
                                    "--strip-all",
                                    "--version-script=" + exports.temporaryPath(),
                                    fmt::format("-soname=lib{}.so", parts.name)};
  for (const std::string &plugin : parts.plugins) {
    words.insert(words.end(), {"-u", "penstock_plugin_" + plugin});
  }
  words.insert(words.end(), {"-u", "penstock_artifact_main", "-e", "penstock_artifact_start", from + "/start.o"});
  if (parts.trains) {
    words.insert(words.end(), {"-u", "penstock_artifact_train"});
  }
  for (const std::string &function : parts.functions) {
    words.insert(words.end(), {"-u", fmt::format("penstock_artifact_{}", function),
                               fmt::format("--defsym={}_{}=penstock_artifact_{}", parts.name, function, function)});
  }
  // The digits become data of the library, whose name follows from that of the file.
  AtomicFile types(parts.folder + "/types"); // never published
  PENSTOCK_TRY(types.open());
  PENSTOCK_TRY(types.write(parts.types));
  std::string symbol = "_binary_";
  for (const char c : types.temporaryPath()) {
    symbol += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  words.insert(words.end(), {fmt::format("--defsym=penstock_artifact_types={}_start", symbol), "--format=binary", types.temporaryPath(),
                             "--format=default"});
  words.insert(words.end(), parts.objects.begin(), parts.objects.end());
  for (const std::string &device : parts.devices) {
    words.push_back(from + "/" + device + ".o");
  }
  words.insert(words.end(), {"--start-group", from + "/libpenstock_artifact.a", from + "/libutf8proc.a", from + "/libz.a",
                             from + "/libzstd.a", "--end-group"});
  // Names alone (tools/artifact/stubs.cpp): what the machine that runs it must have.
  for (const char *needed : systemLibraries) {
    words.push_back(from + "/" + needed);
  }
  PENSTOCK_TRY(runLinker(std::move(words), library, "the artifact's library"));

  return writeCommand(from + "/launcher", fmt::format("lib{}.so", parts.name), parts.folder + "/" + parts.name);
}

} // namespace penstock
