// The model file: valid files, invalid files and their messages. Programs run from the repository root.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "engine/model/model.h"
#include "engine/nn/module.h"
#include "engine/run/networks.h"
#include "tests/temporary.h"

using namespace gannet;
using namespace gannet::config;

namespace {

// A complete model; `more` is inserted before the rest, as in "\"batch\": 8,".
std::string model_text(const std::string& more = "", const std::string& generator = R"({ "layer": "linear", "units": "image" })",
                       const std::string& objective = R"({ "loss": "hinge" })",
                       const std::string& optimizer = R"({ "type": "adam", "lr": 1e-4 })") {
    return "{\n" + more + "\"generator\": [" + generator +
           "],\n\"discriminator\": [ { \"layer\": \"linear\", \"units\": 1 } ],\n\"objective\": " + objective +
           ",\n\"optimizer\": " + optimizer + ",\n\"steps\": 10 }";
}

GanConfig read(const std::string& text, const std::vector<std::string>& settings = {}) {
    return gan_of(parse_model(text, "m.json", settings));
}
// Loads the file of a GAN.
GanConfig load_gan(const std::string& file, const Settings& settings = {}) { return gan_of(load_model(file, settings)); }
std::string error_with(const std::vector<std::string>& settings, const std::string& file = "models/wgan.json") {
    return error_of([&] { load_model(file, settings); });
}

AdamParameters adam_of(const GanConfig& model) { return std::get<AdamParameters>(model.generator_optimizer.parameters); }

}  // namespace

TEST_CASE("files that are not model files") {
    const TemporaryFolder folder;
    CHECK(error_of([&] { load_model(folder / "none.json", {}); }) ==
          "cannot open the file: No such file or directory (" + (folder / "none.json") + "): check the path");
    CHECK(has(error_of([&] { load_model(folder.path, {}); }), "this is a folder"));
    for (const char* nothing : {"", " \n\t\n"})
        CHECK(has(error_of([&] { load_model(folder.write("empty.json", nothing), {}); }),
                  "the file is empty (" + folder / "empty.json"));
    CHECK(has(error_of([&] { load_model(folder.write("large.json", std::string(16'000'001, ' ')), {}); }),
              "the file is larger than 16 MB"));
    CHECK(has(error_of([&] { load_model(folder.write("nul.json", model_text() + "\n" + std::string(1, '\0') + " more"), {}); }),
              "there is a NUL byte in the text"));
    CHECK_NOTHROW(load_model(folder.write("bom.json", "\xef\xbb\xbf" + model_text()), {}));
    CHECK_NOTHROW(load_model(folder.write("dos.json", "{\r\n\"seed\": 3,\r\n" + model_text().substr(1)), {}));
}

// The first line of each file has its expected error.
TEST_CASE("every invalid model is refused with the expected message") {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator("tests/bad_models")) {
        const std::string file = entry.path().generic_string();
        CAPTURE(file);
        std::string first;
        std::ifstream in(file);
        std::getline(in, first);
        REQUIRE(has(first, "// expect: "));
        const std::string message = error_of([&] { load_model(file, {}); });
        CHECK_MESSAGE(has(message, first.substr(11)), message);
        CHECK_MESSAGE(has(message, file + ":"), message);
        CHECK(message.find('\n') == std::string::npos);
        ++files;
    }
    CHECK(files > 90);
}

TEST_CASE("defaults") {
    const GanConfig m = read(model_text());
    CHECK(m.name == "m");
    CHECK(m.file == "m.json");
    CHECK(m.batch == 64);
    CHECK(m.steps == 10);
    CHECK(m.epochs == 0);
    CHECK(m.seed == 0);
    CHECK(m.fuse);
    CHECK(m.data.images.set == "mnist");
    CHECK(m.data.black == -1);
    CHECK(m.data.white == 1);
    CHECK(m.where("data.range") == "data.range");
    CHECK(m.where("objective.loss") == "objective.loss, m.json:4");
    CHECK(m.latent.size == 100);
    CHECK_FALSE(m.objective.penalty);
    CHECK_FALSE(m.objective.clip);
    CHECK(m.objective.mean_of_parts);
    CHECK_FALSE(m.objective.mean_of_batches);
    CHECK(m.generator[0].keys.is_image("units"));
    CHECK_FALSE(m.generator[0].keys.has("init"));
    CHECK(adam_of(m) == AdamParameters{0.9, 0.999, 1e-8, 0});
    CHECK(m.generator[0].keys.where("bias") == "generator[0].bias, m.json:2");  // a default has the place of its object
    CHECK(has(error_of([&] { m.generator[0].keys.integer("units"); }),
              "'units' is \"image\", but must be an integer (generator[0].units, m.json:2)"));
    CHECK(has(error_of([&] { m.generator[0].keys.text("init"); }), "'init' is not given (generator[0].init, m.json:2)"));
    CHECK(read(model_text(R"("seed": 9223372036854775807, "name": "x", )")).name == "x");
    CHECK(read(model_text(R"("batch": null, "latent": null, )")).batch == 64);
    CHECK(read(model_text("", R"({"layer": "linear", "units": 1e3})")).generator[0].keys.integer("units") == 1000);
    // the only default that depends on another key
    CHECK_FALSE(read(model_text("", "{\"layer\": \"relu\"}", R"({"loss": "wasserstein"})")).objective.mean_of_parts);
}

TEST_CASE("variables") {
    const std::string text =
        model_text(R"("variables": {"filters": 64, "wide": "$filters * 2"}, )", R"({"layer": "linear", "units": "$wide + 1"})");
    CHECK(read(text).generator[0].keys.integer("units") == 129);
    CHECK(read(text, {"variables.filters=8"}).generator[0].keys.integer("units") == 17);
    CHECK(has(error_of([&] { read(text, {"variables.filter=8"}); }),
              "unknown variable 'filter' (--set variables.filter=8): did you mean 'filters'?"));
    CHECK(has(error_of([&] { read(model_text(), {"variables.filters=8"}); }), "the file declares no variables"));
    CHECK(read(text, {"batch=$wide"}).batch == 128);
    CHECK(read(text, {"latent.size=$filters / 2"}).latent.size == 32);
}

TEST_CASE("repeat and residual") {
    const GanConfig m = read(model_text("", R"({"layer": "repeat", "times": 3, "widen": 2, "layers": [
        {"layer": "conv2d", "channels": 8, "kernel": 3, "padding": 1}, {"layer": "relu"}]}, {"layer": "tanh"})"));
    REQUIRE(m.generator.size() == 7);
    CHECK(m.generator[0].keys.integer("channels") == 8);
    CHECK(m.generator[2].keys.integer("channels") == 16);
    CHECK(m.generator[4].keys.integer("channels") == 32);
    CHECK(m.generator[4].keys.integer("kernel") == 3);
    CHECK(m.generator[4].keys.where("channels") == "generator[0].layers[0].channels, m.json:3");

    const GanConfig nested = read(model_text("", R"({"layer": "repeat", "times": 2, "widen": 0.5, "layers": [
        {"layer": "repeat", "times": 2, "widen": 3, "layers": [{"layer": "linear", "units": 8}]},
        {"layer": "residual", "main": [{"layer": "linear", "units": 4}, {"layer": "relu"}],
         "shortcut": [{"layer": "linear", "units": 4}]},
        {"layer": "conv2d", "channels": "image", "kernel": 1}]})"));
    REQUIRE(nested.generator.size() == 8);
    CHECK(nested.generator[1].keys.integer("units") == 24);
    CHECK(nested.generator[4].keys.integer("units") == 4);
    CHECK(nested.generator[5].keys.integer("units") == 12);
    CHECK(nested.generator[6].lists.at("main")[0].keys.integer("units") == 2);
    CHECK(nested.generator[6].lists.at("shortcut")[0].keys.integer("units") == 2);
    CHECK(nested.generator[7].keys.is_image("channels"));
    const GanConfig identity = read(model_text("", R"({"layer": "residual", "main": [{"layer": "relu"}]})"));
    CHECK(identity.generator[0].lists.at("shortcut").empty());
}

// The cause may be a setting, not the line that the error names.
TEST_CASE("an error about incompatible keys names the settings") {
    const auto error = [](const Settings& settings) {
        return error_of([&] {
            const auto config = std::get<GanConfig>(load_model("models/vanilla.json", settings));
            naming_settings(settings, [&] { build_networks(config, {28, 28, 1}, Device::cpu()); });
        });
    };
    CHECK(has(error({"log_every=3", "objective.loss=hinge"}), "the discriminator ends in a sigmoid (discriminator["));
    CHECK(has(error({"log_every=3", "objective.loss=hinge"}), ", with --set objective.loss=hinge): "));
    CHECK_FALSE(has(error({"objective.loss=bce", "objective.bce_epsilon=-1"}), "with "));  // the error names the setting itself
    CHECK(has(error({"steps=null", "epochs=null", "batch=8"}), "--set steps=null"));
    CHECK(has(error({"optimizer.lr=null"}), "with --set optimizer.lr=null): "));
    CHECK_FALSE(has(error({"batch=8", "optimizer.lr=-1"}), "batch"));  // the error names the setting itself
    Settings flags;
    flags.add("steps=-1", "--steps -1");
    CHECK(has(error(flags), "'steps' is -1, out of range (steps, --steps -1): "));
    const auto message = [](const Settings& settings) {
        return error_of([&] { naming_settings(settings, [] { throw Error("too large", "a.json:3", "make it smaller"); }); });
    };
    CHECK(message({}) == "too large (a.json:3): make it smaller");
    CHECK(message({"steps=3", "cuda.graph=false"}) == "too large (a.json:3): make it smaller");
    CHECK(message({"generator[0].channels=3", "batch=9"}) ==
          "too large (a.json:3, with --set generator[0].channels=3, --set batch=9): make it smaller");
}

TEST_CASE("cuda.tune: a file's table becomes part of the configuration") {
    const TemporaryFolder folder;
    const auto table = [&](const std::string& product) {
        return folder.write("tune.json", R"({"gpu": "any", "precision": "fp32", "products": [)" + product + "]}");
    };
    const std::string good = table(R"({"M": 64, "N": 128, "K": 100, "transpose_b": true, "plain": false, "use": "cublas"})");
    const GanConfig m = load_gan("models/vanilla.json", {"cuda.tune=" + good});
    const std::vector<TunedProduct> products = m.numerics.tuned;
    REQUIRE(products.size() == 1);
    CHECK(products[0].shape.N == 128);
    CHECK(products[0].shape.transpose_b);
    CHECK_FALSE(products[0].plain);
    CHECK(products[0].choice == MatmulChoice::cublas);
    const GanConfig back = gan_of(parse_model(json::dump(m.effective), "config.json", {}));  // does not need the table file
    CHECK(back.numerics.tuned.size() == 1);
    CHECK(load_gan("models/vanilla.json", {}).numerics.tuned.empty());
    const auto error = [&](const std::string& file) {
        return error_of([&] { load_model("models/vanilla.json", {"cuda.tune=" + file}); });
    };
    CHECK(has(error(folder / "none.json"), "cannot open the file"));
    CHECK(has(error(table(R"({"M": 64, "N": 128, "use": "own"})")), "missing key 'K' (cuda.tune.products[0], "));
    CHECK(has(error(table(R"({"M": 64, "N": 128, "K": 0, "use": "own"})")), "out of range"));
    CHECK(has(error(table(R"({"M": 64, "N": 128, "K": 9, "use": "mkl"})")), "'use' cannot be \"mkl\""));
    CHECK(has(error(folder.write("other.json", R"({"gpu": "any", "precision": "tf32", "products": []})")),
              "'tune' was measured with the precision tf32"));
}

TEST_CASE("--set") {
    const auto set = [](const std::vector<std::string>& settings) { return load_gan("models/wgan.json", settings); };
    CHECK(set({"generator.3.channels=32"}).generator[3].keys.integer("channels") == 32);
    CHECK(set({"generator[3].channels=32"}).generator[3].keys.integer("channels") == 32);
    CHECK(set({"generator.3.channels=image"}).generator[3].keys.is_image("channels"));
    CHECK(set({"batch=8", "batch=16"}).batch == 16);
    CHECK(set({"data.path="}).data.images.path == "");
    CHECK(adam_of(set({"optimizer.betas=[0.5, 0.9]"})) == AdamParameters{0.5, 0.9, 1e-8, 0});
    CHECK(set({"generator.1={\"layer\": \"dropout\", \"p\": 0.1}"}).generator[1].kind->spec.name == "dropout");
    CHECK_FALSE(set({"objective.gradient_penalty=null", "objective.weight_clip=0.01"}).objective.penalty);
    CHECK(set({"objective.accumulate.generator=5"}).objective.generator_batches == 5);
    const GanConfig epochs = set({"steps=7", "epochs=3"});
    CHECK(epochs.epochs == 3);
    CHECK(epochs.steps == 0);

    const std::vector<std::pair<std::string, std::string>> wrong = {
        {"batch", "no '=' in the setting (--set batch): write --set key.path=value"},
        {"=3", "'' is not a path to a key (--set =3)"},
        {"a..b=3", "'a..b' is not a path to a key"},
        {"objectve.loss=bce", "unknown key 'objectve' (objectve, --set objectve.loss=bce): did you mean 'objective'?"},
        {"generator.3.chanels=4",
         "unknown key 'chanels' (generator[3].chanels, --set generator.3.chanels=4): did you mean 'channels'?"},
        {"generator.8.channels=4",
         "the list 'generator' has no entry '8' (--set generator.8.channels=4): its entries are 0 to 7"},
        {"generator.first.channels=4", "the list 'generator' has no entry 'first'"},
        {"generator.99999999999999999999=4", "the list 'generator' has no entry"},
        {"batch.size=4", "no 'size' inside 'batch', which is a number (--set batch.size=4)"},
        {"batch=big", "'batch' is \"big\", but must be an integer (batch, --set batch=big): give a value such as 64"},
        {"batch=99999999999999999999", "is too big"},
        {"generator.0=[1", "cannot read the value (--set generator.0=[1): write a valid JSON value: malformed JSON"},
        {"name=\"x", "cannot read the value (--set name=\"x): write a valid JSON value: malformed JSON"},
        {"optimizer.lr=1e999", "cannot read the value (--set optimizer.lr=1e999): write a valid JSON value: malformed JSON"},
        {"optimizer.lr=true",
         "'lr' is true, but must be a number (optimizer.lr, --set optimizer.lr=true): give a value such as 0.5"},
        {"fuse=1", "'fuse' is 1, but must be true or false (fuse, --set fuse=1): give a value such as true"},
        {"data=3", "'data' is 3, but must be an object, { ... } (data, --set data=3): give a value such as { \"set\": ... }"},
        {"generator=3", "but must be a list of layers, [ ... ] (generator, --set generator=3): give a value such as [ {"},
        {"optimizer.betas=[0]", "(optimizer.betas, --set optimizer.betas=[0]): give a value such as [0.9, 0.999]"},
        {"batch=1.5", "'batch' is 1.5, but must be an integer"},
        {"batch=8-", "the expression \"8-\" ends too early"},
        {"optimizer.lr=nan", "'lr' is \"nan\", but must be a number (optimizer.lr, --set optimizer.lr=nan)"},
        {"generator.0.channels=$filters",
         "unknown variable '$filters' (generator[0].channels, --set generator.0.channels=$filters)"},
        {"steps=null", "neither 'steps' nor 'epochs' is given (models/wgan.json:"},
        {"objective=null", "missing key 'objective'"},
        {"latent.size=image", "'size' is \"image\", but must be an integer (latent.size, --set latent.size=image)"},
    };
    for (const auto& [setting, expected] : wrong) {
        const std::string message = error_with({setting});
        CHECK_MESSAGE(has(message, expected), message);
    }
    CHECK(has(error_with({"batch=8", "batch=0"}), "(batch, --set batch=0)"));
    std::string deep = "a";
    for (int i = 0; i < 100000; ++i) deep += ".a";
    CHECK(has(error_with({deep + "=1"}), "is not a path to a key"));
    CHECK(error_with({"bad\nkey=1"}).find('\n') == std::string::npos);
}

TEST_CASE("--set: the key determines the type of a value") {
    const auto set = [](const std::vector<std::string>& settings) { return load_gan("models/wgan.json", settings); };
    for (const char* name : {"2024", "true", "1e-4", "[1]", "a b=c", "{}", "+-", "#5"}) {
        CAPTURE(name);
        CHECK(set({"name=" + std::string(name)}).name == name);
        CHECK(set({"data.path=" + std::string(name)}).data.images.path == std::filesystem::current_path() / name);
    }
    CHECK(set({"name=\"a\\tb c\"", "name=\"2024\""}).name == "2024");  // JSON text is accepted, too
    CHECK(set({"name=2024", "name=null"}).name == "wgan");
    const auto lr = [&](const std::string& text) { return set({"optimizer.lr=" + text}).generator_optimizer.lr; };
    CHECK(lr(".001") == 0.001);
    CHECK(lr("1.") == 1);
    CHECK(lr("+.5e-1") == 0.05);
    CHECK(lr("1.e-2") == 0.01);
    CHECK(lr("0") == 0);
    CHECK(lr("000.250") == 0.25);
    CHECK(adam_of(set({"optimizer.betas=[.5,.999]"})) == AdamParameters{0.5, 0.999, 1e-8, 0});
    CHECK(adam_of(set({"optimizer.betas.0=.25"})).beta1 == 0.25);
    CHECK(set({"optimizer={\"type\": \"adam\", \"lr\":.01}"}).generator_optimizer.lr == 0.01);
    CHECK(set({"seed=007"}).seed == 7);
    CHECK(set({"batch=+8"}).batch == 8);
    CHECK(set({"batch=1e1"}).batch == 10);
    CHECK(set({"batch=8*2"}).batch == 16);
    CHECK(set({"batch=8-2"}).batch == 6);
    CHECK(set({"checkpoint_every=-0"}).checkpoint_every == 0);
    CHECK(set({"data={\"background\": \"007\"}"}).data.images.background == "007");
    CHECK(set({"data.background=007"}).data.images.background == "007");
}

// Sets HOME for a test.
struct Home {
    std::string before = std::getenv("HOME") ? std::getenv("HOME") : "";
    explicit Home(const std::string& home) { ::setenv("HOME", home.c_str(), 1); }
    ~Home() { ::setenv("HOME", before.c_str(), 1); }
};

TEST_CASE("paths are relative to their file and become absolute") {
    const TemporaryFolder folder;
    for (const char* inner : {"inner", "pictures", "inner/more"}) std::filesystem::create_directory(folder / inner);
    std::filesystem::create_directory_symlink("inner/more", folder / "link");
    const auto path = [&](const std::string& text, const std::vector<std::string>& settings = {}) {
        return load_gan(folder.write("inner/m.json", text), settings).data.images.path;
    };
    const auto with = [&](const std::string& written) { return path(model_text("\"data\": {\"path\": \"" + written + "\"},")); };
    CHECK(with("pictures") == folder / "inner/pictures");
    CHECK(with("../pictures/") == folder / "pictures");
    CHECK(with(".//a/./b/../c") == folder / "inner/a/c");
    CHECK(with(folder / "link") == folder / "link");                                   // links are kept
    CHECK(with("../link/../../pictures") == folder / "inner/../link/../../pictures");  // not the same as ../pictures
    CHECK(with("") == "");
    CHECK(with("/") == "/");
    const Home home(folder / "home");
    CHECK(with("~") == folder / "home");
    CHECK(with("~/x") == folder / "home/x");
    CHECK(with("a/~") == folder / "inner/a/~");
    CHECK(with("~no such user/x") == folder / "inner/~no such user/x");
    CHECK(with("~root/x") == "/root/x");
    // Paths in a base are relative to the base, in "set" to its file, in --set to the working folder.
    const std::string here = std::filesystem::current_path().string();
    folder.write("base.json", model_text("\"data\": {\"path\": \"pictures\"},"));
    CHECK(path(R"({"base": "../base.json"})") == folder / "pictures");
    CHECK(path(R"({"base": "../base.json", "data": {"path": "own"}})") == folder / "inner/own");
    CHECK(path(R"({"base": "../base.json", "set": {"data.path": "set"}})") == folder / "inner/set");
    CHECK(path(R"({"base": "../base.json"})", {"data.path=given"}) == here + "/given");
    CHECK(path(R"({"base": "../base.json"})", {"data={\"path\": \"given\"}"}) == here + "/given");
    CHECK(path(R"({"base": "../base.json"})", {"data.path=~/given"}) == folder / "home/given");
    std::filesystem::copy(folder / "base.json", folder / "home.json");
    const Home outer(folder.path);
    CHECK(path(R"({"base": "~/home.json"})") == folder / "pictures");
    // The path of a table of matrix products.
    folder.write("inner/tune.json", R"({"gpu": "any", "precision": "fp32", "products": []})");
    CHECK(load_gan(folder.write("inner/t.json", model_text("\"cuda\": {\"tune\": \"tune.json\"},")), {})
              .effective.find("cuda")
              ->find("tune"));
    // The configuration of an old run: earlier programs kept paths relative to the working folder.
    const std::string run = folder.write("inner/config.json", model_text("\"data\": {\"path\": \"pictures\"},"));
    CHECK(shared(load_run_config(run, {})).data.images.path == here + "/pictures");
    CHECK(read(model_text("\"data\": {\"path\": \"caf\\udce9\"},")).data.images.path == here + "/caf\xe9");
}

TEST_CASE("the identity of a run: the keys that determine its results") {
    const auto identity_of = [](const std::vector<std::string>& settings) {
        return json::dump(identity(load_gan("models/wgan.json", settings).effective));
    };
    const std::string whole = identity_of({});
    // tests/test_identity.sh has a row for every key that is not part of the identity.
    CHECK(identity_of({"name=x", "data.path=x", "cuda.data=streamed", "samples.rows=1", "epochs=3", "on_collapse=stop"}) ==
          whole);
    for (const char* other : {"seed=1", "batch=2", "optimizer.lr=1", "data.range=[-1,1.5]", "data.split=test", "fuse=false",
                              "join_batches=false", "share_scores=false", "cuda.matmul=own", "generator.1=null"})
        CHECK_MESSAGE(identity_of({other}) != whole, other);
}

TEST_CASE("base") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "inner");
    folder.write("first.json",
                 model_text(R"("name": "n", "batch": 8, "variables": {"a": 2, "b": "$a * 2"}, "data": {"first": 500, "size": 32},
)",
                            R"({"layer": "linear", "units": "$b"}, {"layer": "relu"}, {"layer": "repeat", "times": 2,
"layers": [{"layer": "batch_norm"}, {"layer": "tanh"}]}, {"layer": "linear", "units": "image"})"));
    const auto load = [&](const std::string& text, const std::vector<std::string>& settings = {}) {
        return load_gan(folder.write("inner/over.json", text), settings);
    };
    const auto types = [](const GanConfig& m) {
        std::string all;
        for (const LayerConfig& layer : m.generator) all += layer.kind->spec.name + " ";
        return all;
    };
    // equal to the base except for its name
    GanConfig m = load(R"({"base": "../first.json"})");
    CHECK(m.name == "over");
    CHECK(m.batch == 8);
    CHECK(m.generator[0].keys.where("units") == "generator[0].units, " + folder / "first.json" + ":3");
    CHECK_FALSE(has(json::dump(m.effective), "base"));
    std::filesystem::create_directories(folder / "real/sub");
    std::filesystem::create_symlink("real/sub", folder / "link");
    folder.write("base.json", model_text(R"("batch": 8,)"));
    folder.write("real/base.json", model_text(R"("batch": 16,)"));
    folder.write("real/over.json", R"({"base": "base.json"})");
    CHECK(load_gan(folder / "link/../over.json").batch == 16);  // ".." is the folder above the link's target
    // Objects are merged key by key, other values are replaced; null removes a key; steps and epochs replace each other.
    m = load(R"({"base": "../first.json", "variables": {"a": 3}, "data": {"first": null, "range": [0, 1]}, "epochs": 2,
        "discriminator": [{"layer": "flatten"}, {"layer": "linear", "units": 1}]})");
    CHECK(m.generator[0].keys.integer("units") == 6);
    CHECK(m.data.images.first == 0);
    CHECK(m.data.images.size == 32);
    CHECK(m.epochs == 2);
    CHECK(m.steps == 0);
    CHECK(m.discriminator.size() == 2);
    // The numbers in "set" count the layers of the base. null removes a layer; a list replaces a layer by several.
    m = load(R"({"base": "../first.json", "set": {"generator.0.units": "$a", "generator.1": null,
        "generator.2.layers.0": [{"layer": "layer_norm"}, {"layer": "relu"}], "generator[2].layers[1]": null,
        "generator.3": [{"layer": "dropout"}, {"layer": "linear", "units": 3}], "generator.3.0.p": 0.25, "variables.a": 5}})");
    CHECK(types(m) == "linear layer_norm relu layer_norm relu dropout linear ");
    CHECK(m.generator[0].keys.integer("units") == 5);
    CHECK(m.generator[5].keys.number("p") == 0.25);
    CHECK(m.generator[5].keys.where("p") == "generator[3][0].p, " + folder / "inner/over.json" + ":3");
    // settings of the command line are applied last
    m = load(R"({"base": "../first.json", "set": {"generator.1": null}})",
             {"generator.0.units=7", "generator.1=null", "batch=9"});
    CHECK(types(m) == "linear linear ");
    CHECK(m.generator[0].keys.integer("units") == 7);
    CHECK(m.batch == 9);
    // a base of a base
    folder.write("second.json", R"({"base": "first.json", "batch": 16, "seed": 4})");
    m = load(R"({"base": "../second.json", "seed": 5})");
    CHECK(m.batch == 16);
    CHECK(m.seed == 5);

    folder.write("loop.json", R"({"base": "inner/over.json"})");
    folder.write("bad.json", R"({"bath": 3})");
    folder.write("list.json", "[]");
    for (int i = 0; i < 20; ++i)
        folder.write("chain" + std::to_string(i) + ".json", "{\"base\": \"chain" + std::to_string(i + 1) + ".json\"}");
    folder.write("chain20.json", "{}");
    const std::vector<std::pair<std::string, std::string>> wrong = {
        {R"({"base": "none.json"})",
         "there is no base '" + folder / "inner/none.json" + "' (base, " + folder / "inner/over.json:1)"},
        {R"({"base": ""})", "there is no base"},
        {R"({"base": 3})", "'base' is a number, but must be the name of a model file"},
        {R"({"base": "over.json"})", "has itself as its base, directly or through other files"},
        {R"({"base": "../loop.json"})",
         "has itself as its base, directly or through other files (base, " + folder / "loop.json:1)"},
        {R"({"base": "../chain0.json"})", "a chain of more than 16 bases"},
        {R"({"base": "../bad.json"})", "unknown key 'bath' (bath, " + folder / "bad.json:1): did you mean 'batch'?"},
        {R"({"base": "../list.json"})",
         "a model file must be an object, { ... }, but this is a list (" + folder / "list.json:1)"},
        {R"({"base": "../first.json", "data": {"frist": null}})", "'data.frist' is null, but the base has no such key to remove"},
        {R"({"base": "../first.json", "set": [1]})", "'set' is a list, but must be an object"},
        {R"({"set": {"batch": 3}})", "'set' without 'base'"},
        {R"({"base": "../first.json", "set": {"generator.9": null}})",
         "the list 'generator' has no entry '9' (set.generator.9, " + folder / "inner/over.json:1)"},
        {R"({"base": "../first.json", "set": {"variables.c": 3}})", "unknown variable 'c'"},
        {R"({"base": "../first.json", "set": {"base": "x.json"}})", "'base' is read before settings are applied"},
        {R"({"base": "../first.json", "set": {"generator.0.unit": 3}})", "unknown key 'unit' (generator[0].unit, "},
    };
    for (const auto& [text, expected] : wrong) {
        const std::string message = error_of([&, &text = text] { load(text); });
        CHECK_MESSAGE(has(message, expected), message);
        CHECK(message.find('\n') == std::string::npos);
    }
    CHECK(has(error_of([&] { load(R"({"base": "../first.json"})", {"base=x"}); }),
              "'base' is read before settings are applied (--set base=x)"));
}

TEST_CASE("cuda.precision is the old name of compute.precision") {
    const std::string old_text = model_text("\"cuda\": {\"graph\": true, \"precision\": \"tf32\", \"matmul\": \"auto\"},");
    const GanConfig old = read(old_text), now = read(model_text("\"compute\": {\"precision\": \"tf32\"},"));
    CHECK(old.numerics.precision == Precision::tf32);
    CHECK(json::dump(identity(old.effective)) == json::dump(identity(now.effective)));
    CHECK(json::dump(identity(old.effective)) != json::dump(identity(read(model_text()).effective)));
    CHECK(*old.effective.find("compute")->find("precision")->text() == "tf32");
    CHECK_FALSE(old.effective.find("cuda")->find("precision"));
    CHECK(old.where("compute.precision") == "cuda.precision, m.json:2");
    // the effective file is read with the new name
    CHECK(gan_of(parse_model(json::dump(old.effective), "config.json", {"compute.precision=bf16"})).numerics.precision ==
          Precision::bf16);
    CHECK(has(error_of([&] { read(old_text, {"compute.precision=fp32"}); }),
              "'cuda.precision' and 'compute.precision' are both given (cuda.precision, m.json:2): 'cuda.precision' is the old "
              "name of"));
    CHECK(read(old_text, {"compute.precision=fp32", "cuda.precision=null"}).numerics.precision == Precision::fp32);
}

TEST_CASE("optimizers of each network") {
    const auto with = [](const std::string& optimizer) {
        return read(model_text("", "{\"layer\": \"relu\"}", R"({"loss": "hinge"})", optimizer));
    };
    GanConfig m = with(R"({"type": "adam", "lr": 1e-4, "eps": 1e-6, "discriminator": {"lr": 4e-4}})");
    CHECK(m.generator_optimizer.lr == 1e-4);
    CHECK(m.discriminator_optimizer.lr == 4e-4);
    CHECK(std::get<AdamParameters>(m.discriminator_optimizer.parameters).eps == 1e-6);
    // A later change of the common keys applies to both networks.
    m = gan_of(parse_model(json::dump(m.effective), "m.json", {"optimizer.eps=1e-5", "optimizer.lr=1"}));
    CHECK(std::get<AdamParameters>(m.discriminator_optimizer.parameters).eps == 1e-5);
    CHECK(m.discriminator_optimizer.lr == 4e-4);
    CHECK(m.generator_optimizer.lr == 1);
    // Another type uses its own defaults, except for the learning rate.
    m = with(R"({"type": "adam", "lr": 1e-4, "eps": 1e-6, "discriminator": {"type": "rmsprop"}})");
    CHECK(m.discriminator_optimizer.kind->spec.name == "rmsprop");
    CHECK(m.discriminator_optimizer.lr == 1e-4);
    CHECK(std::get<RmspropParameters>(m.discriminator_optimizer.parameters) == RmspropParameters{0.99, 1e-8, 0, 0, false});
    CHECK(adam_of(m).eps == 1e-6);
    // The sections of the two networks may contain all keys.
    m = with(
        R"({"generator": {"type": "adam", "lr": 1},
            "discriminator": {"type": "sgd", "lr": 2, "momentum": 0.9, "nesterov": true}})");
    CHECK(m.generator_optimizer.kind->spec.name == "adam");
    CHECK(std::get<SgdParameters>(m.discriminator_optimizer.parameters) == SgdParameters{0.9, 0, true});
    const auto error = [&](const std::string& optimizer) { return error_of([&] { with(optimizer); }); };
    CHECK(has(error(R"({"type": "adam", "lr": 1, "discriminator": {"type": "sgd", "betas": [0, 0]}})"),
              "key 'betas' does not belong to the optimizer 'sgd'"));
    CHECK(has(error(R"({"generator": {"type": "adam", "lr": 1}})"), "missing key 'type' (optimizer, m.json:5)"));
    CHECK(has(error(R"({"type": "adam", "generator": {"lr": 1}})"), "missing key 'lr' (optimizer, m.json:5)"));
    CHECK(has(error(R"({"type": "adam", "lr": 1, "generator": {"typ": "sgd"}})"),
              "unknown key 'typ' (optimizer.generator.typ, m.json:5): did you mean 'type'?"));
    CHECK(has(error(R"({"type": "sgd", "lr": 1, "nesterov": true})"),
              "'nesterov' needs a momentum (optimizer.nesterov, m.json:5): set 'momentum', for instance to 0.9"));
}

TEST_CASE("losses: the functions of scores that each network minimises") {
    const auto objective = [](const std::string& keys) {
        const std::string last = keys.find("\"bce\"") == std::string::npos ? "relu" : "sigmoid";
        return read("{\"generator\": [{\"layer\": \"linear\", \"units\": \"image\"}], \"discriminator\": [{\"layer\": \"" + last +
                    "\"}], \"objective\": {\"loss\": " + keys + "}, \"optimizer\": {\"type\": \"sgd\", \"lr\": 1}, \"steps\": 1}")
            .objective;
    };
    struct Row {
        const char* keys;
        LossForm on_real, on_fake, on_generated;
        std::optional<double> neutral;
    };
    const real half = 0.5;
    using enum LossKind;
    const Row rows[] = {
        {R"("bce", "bce_epsilon": 0.25)", {bce, 1, real(0.25), half}, {bce, 0, real(0.25), half}, {bce, 1, real(0.25), 1}, 0.5},
        {R"("bce_with_logits", "real_label": 0.75)",
         {bce_with_logits, real(0.75), 0, half},
         {bce_with_logits, 0, 0, half},
         {bce_with_logits, real(0.75), 0, 1},
         0.0},
        {R"("bce_with_logits", "generator_loss": "saturating", "discriminator_loss": "sum")",
         {bce_with_logits, 1, 0, 1},
         {bce_with_logits, 0, 0, 1},
         {bce_with_logits, 0, 0, -1},
         0.0},
        {R"("wasserstein")", {linear, -1, 0, 1}, {linear, 1, 0, 1}, {linear, -1, 0, 1}, {}},
        {R"("hinge")", {hinge, 1, 0, half}, {hinge, -1, 0, half}, {linear, -1, 0, 1}, 0.0},
        {R"("least_squares", "fake_label": -0.5)",
         {least_squares, 1, 0, half},
         {least_squares, -half, 0, half},
         {least_squares, 1, 0, 1},
         0.25},
    };
    for (const Row& row : rows) {
        CAPTURE(row.keys);
        const Objective o = objective(row.keys);
        CHECK(o.on_real == row.on_real);
        CHECK(o.on_fake == row.on_fake);
        CHECK(o.on_generated == row.on_generated);
        CHECK(o.neutral_score() == row.neutral);
        CHECK(!o.loss->joint);
    }
}

TEST_CASE("the effective file is the same model") {
    std::vector<GanConfig> models = {
        read(model_text()),
        read(model_text(
            R"("variables": {"n": 3}, "name": "x", "version": "abc", )",
            R"({"layer": "repeat", "times": "$n", "widen": 2, "layers": [
            {"layer": "residual", "main": [{"layer": "conv2d", "channels": 4, "kernel": 3, "init": "he_normal"}],
             "shortcut": []}]},
            {"layer": "reshape", "shape": ["$n", 2, 2]}, {"layer": "reshape", "shape": "image"})",
            R"({"loss": "least_squares", "weight_clip": 0.01, "gradient_penalty": {}, "real_label": 0.9})",
            R"({"type": "sgd", "lr": 1, "generator": {"type": "adam", "betas": [0, 0.9]}, "discriminator": {"lr": 2}})")),
        read(model_text("", "{\"layer\": \"relu\"}", R"({"loss": "hinge"})",
                        R"({"type": "adam", "generator": {"lr": 1}, "discriminator": {"lr": 2}})")),
    };
    for (const char* name : {"vanilla", "dcgan", "wgan", "keras-mlp", "wgan-clip", "dcgan64", "wgan-gp64"})
        models.push_back(load_gan("models/" + std::string(name) + ".json", {}));
    for (const GanConfig& m : models) {
        const std::string text = json::dump(m.effective);
        CAPTURE(text);
        const GanConfig back = gan_of(parse_model(text, "config.json", {}));
        CHECK(json::dump(back.effective) == text);
        CHECK(back.name == m.name);
        CHECK(back.objective.loss == m.objective.loss);
        CHECK(back.objective.on_real == m.objective.on_real);
        CHECK(back.objective.on_fake == m.objective.on_fake);
        CHECK(back.objective.on_generated == m.objective.on_generated);
        CHECK(back.objective.clip.has_value() == m.objective.clip.has_value());
        CHECK(back.objective.penalty.has_value() == m.objective.penalty.has_value());
        CHECK(back.generator_optimizer.parameters == m.generator_optimizer.parameters);
        CHECK(back.discriminator_optimizer.parameters == m.discriminator_optimizer.parameters);
        CHECK(back.generator.size() == m.generator.size());
        CHECK_FALSE(has(text, "repeat"));
    }
}

TEST_CASE("damaged models are read or rejected without a crash") {
    std::ifstream in("models/wgan.json");
    const std::string whole((std::istreambuf_iterator<char>(in)), {});
    REQUIRE_FALSE(whole.empty());
    const std::string letters =
        "{}[]\",:0123456789.-+eE$/*\\ \n\x01\xff"
        "abtrue";
    std::mt19937 random(1);
    for (int i = 0; i < 3000; ++i) {
        std::string text = whole;
        for (int change = 0; change < 1 + i % 3; ++change) {
            const std::size_t at = random() % text.size(), length = 1 + random() % 8;
            switch (random() % 4) {
                case 0: text.erase(at, length); break;
                case 1: text[at] = letters[random() % letters.size()]; break;
                case 2: text.insert(at, text.substr(random() % text.size(), length)); break;
                default: text.resize(at + 1);
            }
        }
        const std::string message = error_of([&] { parse_model(text, "m.json", {}); });
        if (message.find('\n') != std::string::npos) FAIL(message);
    }
}
