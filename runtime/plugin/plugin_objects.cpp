#include "runtime/plugin/plugin_bound.h"

#include "runtime/base/printable.h"
#include "runtime/plugin/judged_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace penstock {

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

FieldCollector::FieldCollector() {
  sink = {sizeof sink, this, [](void *context, const PenstockField *given) -> std::int32_t {
            auto *const found = ActiveSink::find<FieldCollector>(context);
            if (found == nullptr) {
              return 1;
            }
            FieldCollector &self = *found;
            return self.fault.guard([&]() -> std::int32_t {
              constexpr std::size_t most = 1024;
              if (given == nullptr || self.schema.size() == most) {
                return self.fault.say(given == nullptr ? "it describes a field at a null pointer"
                                                       : fmt::format("it describes more than {} fields", most));
              }
              ColumnField field;
              if (const std::string reason = takeField(*given, field); !reason.empty()) {
                return self.fault.say("its field" + reason);
              }
              static constexpr std::string_view reserved[] = {"row", "rows", "unit", "first_row", "error"};
              if (std::find(std::begin(reserved), std::end(reserved), field.name) != std::end(reserved)) {
                return self.fault.say(fmt::format("its answer has the field `{}`, which only `predict` writes", field.name));
              }
              if (std::any_of(self.schema.begin(), self.schema.end(), [&](const ColumnField &one) { return one.name == field.name; })) {
                return self.fault.say(fmt::format("it describes `{}` twice", field.name));
              }
              self.schema.push_back(std::move(field));
              return 0;
            });
          }};
}

ColumnCollector::ColumnCollector(const Schema &schema, std::vector<bool> wanted, std::int64_t records, std::vector<Column> &columns)
    : schema(schema), wanted(std::move(wanted)), left(records), columns(columns) {
  sink = {sizeof sink, this, [](void *context, const PenstockColumns *given) -> std::int32_t {
            auto *const found = ActiveSink::find<ColumnCollector>(context);
            if (found == nullptr) {
              return 1;
            }
            ColumnCollector &self = *found;
            return self.fault.guard([&]() -> std::int32_t {
              if (given == nullptr) {
                return self.fault.say("it gives columns at a null pointer");
              }
              if (const std::string reason = takeColumns(*given, self.schema, self.wanted, self.left, self.columns, self.bytes);
                  !reason.empty()) {
                return self.fault.say("it " + reason);
              }
              self.left -= given->records;
              return 0;
            });
          }};
}

Status ColumnCollector::finish(const Bound &bound, const char *entry) const {
  return left == 0 ? Status::success() : bound.broken(entry, fmt::format("it gave no answer for the last {} records", left));
}

} // namespace penstock
