#include "runtime/data/run_text.h"

#include "runtime/base/file.h"
#include "runtime/data/sealed_json.h"

namespace penstock {

using Json = nlohmann::ordered_json;

Result<Json> openRunText(const std::string &path, const std::string &text) {
  std::optional<Json> json = parseObject(text);
  const std::string fix = "; train again into another folder";
  if (!json) {
    return damagedFile(path, "it is not the JSON of a run" + fix);
  }
  const auto member = [&](const char *name) { return json->contains(name) ? (*json)[name] : Json(); };
  if (const Json format = member("format"); format != runFormat) {
    const Json writer = member("penstock");
    return environmentError("`" + path + "` was written by " +
                            (writer.is_string() ? "penstock " + writer.get<std::string>().substr(0, 40) : "another program") +
                            (format.is_number_integer() ? " in format " + format.dump() : " without a format") +
                            ", and this release reads format " + std::to_string(runFormat) +
                            " alone; use the release that wrote it, or train again into another folder");
  }
  if (!unseal(*json)) {
    return damagedFile(path, "its hash is not that of its content" + fix);
  }
  return *std::move(json);
}

} // namespace penstock
