// docs/model-format.md is made from the tables that the reader of model files checks against, so that it is always up to date.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "engine/model/model.h"
#include "engine/model/sections.h"
#include "engine/nn/registry.h"

using namespace gannet;
using namespace gannet::config;

namespace {

constexpr const char* introduction = R"(# The model file

<!-- Written by tests/test_model_format.cpp from the tables in engine/model/sections*.cpp and engine/nn: change those, not this page. -->

A model is one JSON file: two lists of layers, and how to train them. This one is complete.

```json
// A small DCGAN for 28x28 images.
{
  "variables":     { "filters": 32 },
  "data":          { "set": "mnist" },
  "latent":        { "size": 100 },
  "init":          { "conv": "normal", "std": 0.02 },

  "generator": [
    { "layer": "conv_transpose2d", "channels": "$filters * 2", "kernel": 7, "bias": false },
    { "layer": "batch_norm" },
    { "layer": "relu" },
    { "layer": "conv_transpose2d", "channels": "$filters", "kernel": 4, "stride": 2, "padding": 1, "bias": false },
    { "layer": "batch_norm" },
    { "layer": "relu" },
    { "layer": "conv_transpose2d", "channels": "image", "kernel": 4, "stride": 2, "padding": 1 },
    { "layer": "tanh" }
  ],

  "discriminator": [
    { "layer": "repeat", "times": 2, "widen": 2, "layers": [
      { "layer": "conv2d", "channels": "$filters", "kernel": 4, "stride": 2, "padding": 1 },
      { "layer": "leaky_relu", "slope": 0.2 } ] },
    { "layer": "flatten" },
    { "layer": "linear", "units": 1 }
  ],

  "objective":     { "loss": "bce_with_logits" },
  "optimizer":     { "type": "adam", "lr": 2e-4, "betas": [0.5, 0.999] },
  "batch": 64, "epochs": 2
}
```

Train it with `./apps/train FILE`. Each layer takes the shape of its input from the layer before. `"image"` stands for the size of the
data: its channels or, in `linear`, the number of its values. Comments, `// ...` and `/* ... */`, are allowed. An unknown key is
an error, and the message names the nearest valid one. A key that is given twice is an error, too. `null` means that the key is absent.

**Expressions.** An integer may also be a text with integers, variables, `+ - * / ^ ( )`, as in `"$filters * 2"`. A division with a
remainder is an error. A variable may be an expression of earlier variables.

**From the command line.** `--set key.path=value` changes or adds any key. Entries of a list are addressed by their number in the file,
from 0. A value is parsed by the type of its key; a text key takes it literally (`data.path=2024`), or as JSON text in quotes.
Any other value is parsed as JSON, where numbers may also be written `.5`, `1.` or `007`; if it is not JSON it is text, for expressions and
words such as `image`. `cuda.tune` is a path unless it begins with `{`. A later `--set` wins. `null` removes a key (`./null` is a folder
of that name). Setting one of `steps` and `epochs` removes the other.

    ./apps/train models/dcgan.json --set epochs=20 --set data.set=fashion-mnist --set optimizer.lr=1e-4
    ./apps/train models/dcgan.json --set generator.0.channels=256 --set optimizer.discriminator.lr=5e-5

**Variants.** `"base": "other.json"` reads another file first (which may have a base itself) and merges the keys of this file over it:
objects are merged key by key; any other value, including a list, replaces the value of the base; `null` removes a key of the base.
Giving one of `steps` and `epochs` removes the other; `name` and `version` are not inherited. Then the paths of `"set"`, an object, are
applied. They are the same paths as in `--set`, so a file can change entries of a list. An entry that is set to `null` is removed; an
entry that is set to a list is replaced by that list's entries. All numbers refer to the list before these changes. `--set` on the
command line comes last and uses the numbers after them.

    { "base": "dcgan.json", "data": { "set": "fashion-mnist" }, "epochs": 20 }
    { "base": "dcgan.json", "set": { "generator.0.channels": 256, "discriminator.3": null } }

**Resuming.** `--resume RUN` reads the run's own `config.json`. Keys that do not affect the results of the training may then be changed:

FREE_KEYS.

A change of any other key is refused. The images are compared by a hash of their pixels, so they may be moved:
`--resume RUN --set data.path=PATH`.

**Paths.** A relative path in a file is relative to the folder of that file; in `--set`, or in a file read from a pipe,
it is relative to the working directory. `~` and `~user` at its start are home directories. A run's `config.json` has absolute paths,
without `.` and `..`; symbolic links are kept. Earlier versions wrote relative paths there: `--resume` takes them as relative to the
working directory, as those versions did. In JSON that the program writes, a byte that is not UTF-8 is a lone surrogate, `\udc80` to
`\udcff`, as in Python's `surrogateescape`; it is read back as that byte.

**The effective configuration.** A run's `config.json` is also a model file, with every default filled in and every `repeat` expanded.
)";

constexpr const char* layers_introduction = R"(## Layers

Each entry of a list names its layer, as in `{ "layer": "relu" }`, and may have the keys below. `conv2d`, `conv_transpose2d` and
`upsample` treat a vector of F values as F channels of 1x1. `linear` needs a vector: put `flatten` before it. Layers are numbered from 0
after every `repeat` is expanded; the parameters of the fourth layer of the generator are `generator.3.weight` and `generator.3.bias`.
)";

std::string range_text(const Key& key, double min, double max) {
    const bool low = std::isfinite(min), high = std::isfinite(max);
    if (!low && !high) return "";
    if (!high) return (key.above_min ? ", above " : ", at least ") + number_text(min);
    if (!low) return (key.below_max ? ", below " : ", at most ") + number_text(max);
    return (key.above_min ? ", above " : ", ") + number_text(min) + " to " + (key.below_max ? "below " : "") + number_text(max);
}

std::string type_text(const Key& key) {
    const std::string range = range_text(key, key.min, key.max);
    const std::string length = key.length ? std::to_string(key.length) + " " : "";
    switch (key.kind) {
        case Kind::integer: return "integer" + range;
        case Kind::number: return "number" + range;
        case Kind::boolean: return "true or false";
        case Kind::text: {
            std::vector<std::string> choices;
            for (const std::string& choice : key.choices) choices.push_back("`\"" + choice + "\"`");
            return choices.empty() ? "text" : join(choices);
        }
        case Kind::size:
            return "integer" + range_text(key, std::max(1.0, key.min), key.max > 2147483647 ? INFINITY : key.max) +
                   (key.width ? ", or `\"image\"`" : "");
        case Kind::numbers: return "list of " + length + "numbers" + range;
        case Kind::integers: return "list of " + length + "integers, or `\"image\"`";
        case Kind::layers: return "list of layers";
        case Kind::object:
        case Kind::anything: return key.object ? "object, see below" : "object";
    }
    return "";
}

std::string default_text(const Key& key) {
    if (key.required) return "required";
    if (key.otherwise.is_null()) return "none";
    if (key.otherwise.members()) return "see its keys";
    const auto text = [](const Value& value) {
        const auto* d = std::get_if<double>(&value.data);
        return d ? number_text(*d) : json::dump(value, -1);
    };
    const List* list = key.otherwise.list();
    if (!list) return "`" + text(key.otherwise) + "`";
    std::vector<std::string> entries;
    for (const Value& entry : *list) entries.push_back(text(entry));
    return "`[" + join(entries, ", ") + "]`";
}

std::vector<std::string> free_keys(const ObjectSpec& spec, const std::string& path) {
    std::vector<std::string> out;
    for (const Key& key : spec.keys) {
        if (key.free_at_resume) out.push_back("`" + path + key.name + "`");
        else if (key.object)
            for (const std::string& inner : free_keys(*key.object, path + key.name + ".")) out.push_back(inner);
    }
    return out;
}

// The table of a section, with its keys, types, defaults and meanings.
std::string document(const ObjectSpec& spec, int heading_level) {
    std::string out = "\n" + std::string(std::size_t(heading_level), '#') + " " + spec.name + "\n";
    if (!spec.doc.empty()) out += "\n" + spec.doc + "\n";
    if (!spec.keys.empty()) out += "\n| key | type | default | meaning |\n|---|---|---|---|\n";
    for (const Key& key : spec.keys)
        out += "| `" + key.name + "` | " + type_text(key) + " | " + default_text(key) + " | " + key.doc + " |\n";
    return out;
}

std::string whole_page() {
    std::string out = introduction;
    const std::string here = "FREE_KEYS";
    out.replace(out.find(here), here.size(), join(free_keys(file_spec, ""), " and "));
    for (const ObjectSpec* spec : model_specs())
        out += document(*spec, spec->name.find('.') != std::string::npos || find_kind(optimizer_kinds(), spec->name) ? 3 : 2);
    out += "\n";
    out += layers_introduction;
    for (const LayerKind& kind : layer_kinds()) out += document(kind.spec, 3);
    return out;
}

}  // namespace

// GANNET_WRITE_DOCS=1 makes the test write the page.
TEST_CASE("docs/model-format.md is up to date") {
    const std::string page = whole_page();
    if (std::getenv("GANNET_WRITE_DOCS")) std::ofstream("docs/model-format.md") << page;
    std::ifstream in("docs/model-format.md");
    const std::string committed((std::istreambuf_iterator<char>(in)), {});
    CHECK_MESSAGE(committed == page, "run the tests with GANNET_WRITE_DOCS=1");
    for (const LayerKind& kind : layer_kinds()) CHECK(page.find("### " + kind.spec.name + "\n") != std::string::npos);

    const std::size_t begin = page.find("```json\n") + 8;
    const GanConfig example = gan_of(parse_model(page.substr(begin, page.find("```", begin) - begin), "m.json", {}));
    CHECK(example.discriminator[2].keys.integer("channels") == 64);
}
