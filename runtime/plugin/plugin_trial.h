// A plugin tried without the user's data, in a process of its own: what it can do wrong there it need not do in ours.
#pragma once

#include "runtime/plugin/plugin_check.h"

namespace penstock {

/// Calls every function that needs no data of the user, with the default parameters: a tokenizer fits two texts and encodes them; a
/// metric judges one record; a head builds its graph and decodes one answer; a learner is shown two records and answers one. A plugin
/// that needs parameters, or refuses these few data with a sentence, passes. The error names the entry.
Status tryPlugin(const PluginManifest &manifest, const PenstockPlugin &plugin, const PenstockHost *services);

/// What the host lends plugins.
const PenstockHost *lentServices();

} // namespace penstock
