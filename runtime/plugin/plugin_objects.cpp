#include "runtime/plugin/plugin_bound.h"

#include "runtime/base/printable.h"
#include "runtime/plugin/json_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace penstock {

namespace {

// Limits of what a plugin may ask the host to keep; docs/design/plugins.md lists them.
constexpr std::size_t maximumAnswer = std::size_t{1} << 24, maximumAnswers = std::size_t{1} << 30;

} // namespace

Result<Bound> bindPlugin(PluginHost &host, const std::string &plugin, PluginKind kind, const std::string &parametersJson) {
  Bound bound;
  PENSTOCK_ASSIGN(bound.manifest, host.manifest(plugin, kind));
  PENSTOCK_ASSIGN(std::unique_ptr<PluginArguments> arguments, host.arguments(*bound.manifest, parametersJson));
  bound.arguments = std::move(arguments);
  PENSTOCK_ASSIGN(const PenstockPlugin *library, host.load(plugin, kind));
  bound.label = labelOf(*bound.manifest);
  bound.services = host.services();
  bound.functions = library->functions;
  return bound;
}

void tellFault(const Status &fault) {
  if (!fault.ok()) {
    std::fprintf(stderr, "penstock: %s\n", printableLines(fault.message()).c_str());
  }
}

thread_local ActiveSink::Active ActiveSink::current;

Status Fault::memory(const Bound &bound, const char *entry) const {
  return environmentError(
      fmt::format("there is not enough memory for what `{}` of the {} `{}` gives", entry, bound.label->kind, bound.label->name));
}

ByteCollector::ByteCollector(std::size_t limit) : limit(limit) {
  sink = {sizeof sink, this, [](void *context, const void *more, std::size_t size) -> std::int32_t {
            auto *const found = ActiveSink::find<ByteCollector>(context);
            if (found == nullptr) {
              return 1;
            }
            ByteCollector &self = *found;
            return self.fault.guard([&]() -> std::int32_t {
              if (size > self.limit - self.bytes.size()) {
                return self.fault.say(
                    fmt::format("it writes {} bytes of state after {}, at most {} are taken", size, self.bytes.size(), self.limit));
              }
              if (size > 0 && more == nullptr) {
                return self.fault.say(fmt::format("it writes {} bytes from a null pointer", size));
              }
              self.bytes.append(static_cast<const char *>(more), size);
              return 0;
            });
          }};
}

AnswerCollector::AnswerCollector(std::int64_t records) : answers(static_cast<std::size_t>(records)) {
  sink = {sizeof sink, this, [](void *context, std::int64_t record, PenstockString json) -> std::int32_t {
            auto *const self = ActiveSink::find<AnswerCollector>(context);
            return self == nullptr ? 1 : self->fault.guard([&] { return self->accept(record, json); });
          }};
}

std::int32_t AnswerCollector::accept(std::int64_t record, PenstockString json) {
  if (record < 0 || record >= static_cast<std::int64_t>(answers.size())) {
    return fault.say(fmt::format("it answers record {} of {}", record, answers.size()));
  }
  std::optional<std::string> &held = answers[static_cast<std::size_t>(record)];
  if (held) {
    return fault.say(fmt::format("it answers record {} twice", record));
  }
  const std::size_t most = std::min(maximumAnswer, maximumAnswers - bytes);
  std::string_view taken;
  if (json.data != nullptr && json.size <= most && isJsonLine(std::string_view(json.data, json.size), &taken)) {
    if (!taken.empty()) {
      return fault.say(fmt::format("its answer for record {} has the key `{}`, which only `predict` writes", record, taken));
    }
    held.emplace(json.data, json.size);
    bytes += json.size;
    return 0;
  }
  std::string reason;
  if (!judgeText(json, most, reason)) {
    return fault.say(fmt::format("its answer for record {} {}", record, reason));
  }
  const std::string_view text(json.data, json.size);
  if (text.empty()) {
    return fault.say(fmt::format("its answer for record {} is empty", record));
  }
  if (text.find_first_of(std::string_view("\0\n\r", 3)) != std::string_view::npos) {
    return fault.say(fmt::format("its answer for record {} holds a line end or a zero byte", record));
  }
  return fault.say(fmt::format("its answer for record {} is not a JSON object: {}", record, printable(text, 100)));
}

Result<std::vector<std::string>> AnswerCollector::take(const Bound &bound, const char *entry) {
  std::vector<std::string> texts;
  texts.reserve(answers.size());
  for (std::optional<std::string> &text : answers) {
    if (!text) {
      return bound.broken(entry, fmt::format("it gave no answer for record {}", texts.size()));
    }
    texts.push_back(std::move(*text));
  }
  return texts;
}

} // namespace penstock
