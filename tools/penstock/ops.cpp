// `penstock ops`, `types` and `settings`: what a .pipe file can hold, from the tables that the check reads.
#include "tools/penstock/commands.h"

#include "compiler/frontend/catalogue.h"
#include "runtime/base/nearest.h"
#include "runtime/base/printable.h"
#include "runtime/base/terminal.h"
#include "runtime/plugin/plugin_host.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <memory>

namespace penstock {
namespace {

using frontend::CatalogueEntry;
using frontend::CatalogueGroup;
using Json = nlohmann::ordered_json;

constexpr std::size_t widestName = 22;

/// The words of a text in lines of the terminal, the first of which has `lead` in front, the others as many blanks.
void printWrapped(const std::string &lead, const std::string &text) {
  const int columns = terminalColumns(STDOUT_FILENO);
  const std::size_t most = columns > 0 ? static_cast<std::size_t>(columns) : 100;
  std::string line = lead;
  bool fresh = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!fresh && line.size() + 1 + word.size() > most) {
      fmt::print("{}\n", line);
      line = std::string(lead.size(), ' ');
      fresh = true;
    }
    line += (fresh ? "" : " ") + word;
    fresh = false;
    at = end + 1;
  }
  fmt::print("{}\n", line);
}

void printRow(const std::string &name, const std::string &text) { printWrapped(fmt::format("  {:<{}}  ", name, widestName), text); }

void printGroup(const CatalogueGroup &group) {
  printWrapped("", group.heading + (group.about.empty() ? "" : ": " + group.about));
  for (const CatalogueEntry &entry : group.entries) {
    printRow(entry.signature.name, entry.help);
  }
}

void printEntry(const CatalogueGroup &group, const CatalogueEntry &entry) {
  printWrapped(entry.signature.name + ": ", entry.help);
  fmt::print("  ({})\n", group.heading);
  for (const auto &[name, text] : entry.facts) {
    printRow(name, text);
  }
  for (const frontend::ParameterSpec &parameter : entry.signature.parameters) {
    printRow(parameter.name,
             fmt::format("{}; {}; {}", frontend::parameterValues(parameter), frontend::parameterDefault(parameter), parameter.help));
  }
  fmt::print("\n  {}\n", entry.example);
}

Json jsonOf(const CatalogueGroup &group, const CatalogueEntry &entry) {
  Json json = {{"name", entry.signature.name}, {"group", group.heading}, {"help", entry.help}};
  for (const auto &[name, text] : entry.facts) {
    json["facts"][name] = text;
  }
  json["parameters"] = Json::array();
  for (const frontend::ParameterSpec &parameter : entry.signature.parameters) {
    Json &one = json["parameters"].emplace_back(Json{{"name", parameter.name}, {"values", frontend::parameterValues(parameter)}});
    if (!parameter.required && !parameter.absent) {
      one["default"] = frontend::formatAttribute(frontend::defaultOf(parameter), &parameter);
    }
    one["required"] = parameter.required;
    one["help"] = parameter.help;
  }
  json["example"] = entry.example;
  return json;
}

struct Asked {
  std::string name; // "": all of them
  bool json = false;
};

/// Prints all groups, or what has the name; where there is none, `what` is what was looked for.
Status tell(const std::vector<CatalogueGroup> &groups, const Asked &asked, const std::string &what) {
  if (asked.json) {
    Json all = Json::array();
    for (const CatalogueGroup &group : groups) {
      for (const CatalogueEntry &entry : group.entries) {
        if (asked.name.empty() || entry.signature.name == asked.name) {
          all.push_back(jsonOf(group, entry));
        }
      }
    }
    if (!all.empty()) {
      fmt::print("{}\n", all.dump(-1, ' ', false, Json::error_handler_t::replace));
      return {};
    }
  }
  std::vector<std::string> names;
  bool found = false;
  for (const CatalogueGroup &group : groups) {
    if (asked.name.empty()) {
      fmt::print("{}", found ? "\n" : "");
      printGroup(group);
      found = true;
      continue;
    }
    for (const CatalogueEntry &entry : group.entries) {
      names.push_back(entry.signature.name);
      if (entry.signature.name == asked.name) {
        fmt::print("{}", found ? "\n" : "");
        printEntry(group, entry);
        found = true;
      }
    }
  }
  if (found) {
    return {};
  }
  std::string near;
  for (const std::string &one : nearest(asked.name, names)) {
    near += (near.empty() ? "; did you mean `" : " or `") + one + "`";
  }
  return usageError(fmt::format("there is no {} `{}`{}", what, printable(asked.name, 80), near.empty() ? "" : near + "?"));
}

/// Where a name stands that another of the three commands knows.
std::string elsewhere(const std::string &name) {
  for (const CatalogueEntry &type : frontend::typesOfColumns().entries) {
    if (type.signature.name == name) {
      return "; it is a type of columns: `penstock types " + name + "`";
    }
  }
  for (const frontend::BlockSpec &block : frontend::blocksWithSettings()) {
    const std::vector<std::string> &settings = frontend::settingsOf(block.name);
    if (block.name == name || std::find(settings.begin(), settings.end(), name) != settings.end()) {
      return "; it is " + std::string(block.name == name ? "a block" : "a setting") + ": `penstock settings " + block.name + "`";
    }
  }
  return "";
}

Status tellOps(const Asked &asked, const CommandContext &context) {
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create(context.pluginFolders));
  Status told = tell(frontend::callables(host->manifests()), asked, "operation, operator, plugin, optimizer or schedule");
  return told.ok() ? told : Status(told.code(), told.message() + elsewhere(asked.name));
}

Status tellSettings(const Asked &asked) {
  std::vector<CatalogueGroup> groups;
  for (const frontend::BlockSpec &block : frontend::blocksWithSettings()) {
    if (asked.name.empty() || block.name == asked.name) {
      groups.push_back(frontend::settingsOfBlock(block));
    }
  }
  if (asked.json || asked.name.empty()) {
    return tell(groups, {"", asked.json}, "block");
  }
  for (const CatalogueGroup &group : groups) {
    printWrapped("", group.heading + ": " + group.about);
    for (const CatalogueEntry &entry : group.entries) {
      fmt::print("\n");
      printRow(entry.signature.name, entry.help);
      for (const auto &[name, text] : entry.facts) {
        printRow("", name + ": " + text);
      }
      printRow("", entry.example);
    }
  }
  return {};
}

CLI::App *addCommand(CLI::App &app, const char *name, const char *help, const std::vector<std::string> &examples,
                     const std::shared_ptr<Asked> &asked, const char *what, const char *whatHelp) {
  CLI::App *command = app.add_subcommand(name, help);
  command->add_option(what, asked->name, whatHelp);
  command->add_flag("--json", asked->json, "print one JSON array of objects");
  setExamples(*command, examples);
  return command;
}

} // namespace

void addOpsCommands(CLI::App &app, CommandContext &context) {
  const auto finish = [&context](const Status &status) {
    if (!status.ok()) {
      context.fail(status);
    }
  };
  auto ops = std::make_shared<Asked>(), types = std::make_shared<Asked>(), settings = std::make_shared<Asked>();
  addCommand(app, "ops", "say what a .pipe file can call: sources, operators, tokenizers, operations, heads, metrics, optimizers",
             {"penstock ops", "penstock ops conv1d"}, ops, "NAME", "say all about this one")
      ->callback([ops, finish, &context] { finish(tellOps(*ops, context)); });
  addCommand(app, "types", "say which types of columns there are", {"penstock types", "penstock types class"}, types, "NAME",
             "say all about this one")
      ->callback([types, finish] { finish(tell({frontend::typesOfColumns()}, *types, "type of columns")); });
  CLI::App *command = addCommand(app, "settings", "say which settings a block of a .pipe file takes",
                                 {"penstock settings", "penstock settings train"}, settings, "BLOCK", "say all about its settings");
  std::vector<std::string> blocks;
  for (const frontend::BlockSpec &block : frontend::blocksWithSettings()) {
    blocks.push_back(block.name);
  }
  command->get_option("BLOCK")->check(CLI::IsMember(blocks));
  command->callback([settings, finish] { finish(tellSettings(*settings)); });
}

} // namespace penstock
