// What the library of an artifact has beside its C interface.
#pragma once

extern "C" {
/// The command of the artifact; gives its exit code.
__attribute__((visibility("default"))) int penstock_artifact_main(int argc, char **argv);
}
