#include "tools/penstock/command_shape.h"

#include <CLI/CLI.hpp>

namespace penstock {
namespace {

/// The words of "{a,b}" at the end of a description of values.
std::vector<std::string> wordsOf(const std::string &described) {
  std::vector<std::string> words;
  const std::size_t open = described.find('{');
  if (open == std::string::npos || !described.ends_with('}')) {
    return words;
  }
  for (std::size_t at = open + 1; at < described.size();) {
    const std::size_t end = described.find_first_of(",}", at);
    words.push_back(described.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

OptionShape optionOf(const CLI::Option &option) {
  OptionShape shape;
  for (const std::string &name : option.get_lnames()) {
    shape.names.push_back("--" + name);
  }
  for (const std::string &name : option.get_snames()) {
    shape.names.push_back("-" + name);
  }
  shape.help = option.get_description();
  shape.required = option.get_required();
  if (option.get_items_expected_max() > 0) {
    const std::string described = option.get_type_name(); // the name, and what is checked behind a colon
    shape.words = wordsOf(described);
    shape.several = option.get_items_expected_max() > 1;
    shape.value = described.substr(0, described.find(':'));
    if (shape.value.empty() || shape.value == "TEXT") {
      shape.value = shape.names.empty() ? option.get_name() : "TEXT";
    }
    for (char &c : shape.value) { // of an argument: as the others
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  return shape;
}

} // namespace

bool OptionShape::takesFolder() const { return value == "DIR" || value == "FOLDER" || value == "RUN" || value == "NEW"; }
bool OptionShape::takesFile() const { return value == "FILE" || value == "PATH"; }

CommandShape shapeOf(const CLI::App &app) {
  CommandShape shape{app.get_name(), app.get_description(), app.get_footer(), {}, {}, {}};
  for (const CLI::Option *option : app.get_options([](const CLI::Option *) { return true; })) {
    if (option->get_group().empty()) {
      continue; // hidden
    }
    (option->get_positional() && option->get_lnames().empty() ? shape.arguments : shape.options).push_back(optionOf(*option));
  }
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
    shape.commands.push_back(shapeOf(*command));
  }
  return shape;
}

} // namespace penstock
