#include "engine/model/sections.h"

#include "engine/config/keys.h"
#include "engine/model/choices.h"

namespace gannet::config {

const ObjectSpec& file_spec() {
    static const ObjectSpec spec = {
        "The file",
        "One object. Exactly one of `steps` and `epochs` must be there; `--steps` and `--epochs` replace either.",
        {
            text("base", {}, "another model file, read first; this one then says only what is different (see above)"),
            {.name = "set", .kind = Kind::anything, .doc = "with `base`: an object of paths as in `--set`, and their values"},
            free_at_resume(text("name", {}, "of the model and its run folder; the file's own name unless given")),
            free_at_resume(text("version", {}, "the build that wrote a run's `config.json`; not read")),
            {.name = "variables", .kind = Kind::anything, .doc = "an object of integers, or expressions of earlier variables"},
            section("data", data_spec(), "the real images"),
            section("latent", latent_spec(), "the generator's input"),
            section("init", init_spec(), "initial values of the parameters"),
            {.name = "generator", .kind = Kind::layers, .doc = "its layers, from latent vector to image", .required = true},
            {.name = "discriminator", .kind = Kind::layers, .doc = "its layers, from image to one value", .required = true},
            {.name = "objective",
             .kind = Kind::object,
             .doc = "losses and schedule",
             .required = true,
             .object = &objective_spec()},
            {.name = "optimizer", .kind = Kind::anything, .doc = "how gradients become updates", .required = true},
            integer("batch", 64, 1, 1e6, "real images in a batch, and as many fake ones"),
            free_at_resume(integer("steps", {}, 1, 1e12, "length of the training, in rounds of the schedule")),
            free_at_resume(integer("epochs", {}, 1, 1e9, "length of the training, in rounds of the data")),
            integer("seed", 0, 0, no_limit, "of everything random; same seed, same bits"),
            free_at_resume(section("samples", samples_spec(), "the grids of samples")),
            free_at_resume(section("observe", observe_spec(), "looks at the training from inside")),
            free_at_resume(
                word("on_collapse", "warn", words(stop_on_collapse),
                     "where the losses or the samples say that the training has collapsed: a line and an event in the log "
                     "(`warn`), or the end of the run as well, everything saved (`stop`, exit status 1)")),
            section("compute", compute_spec(), "the numbers that a device computes with"),
            section("cpu", cpu_spec(), "how a CPU computes"),
            section("cuda", cuda_spec(), "how a GPU computes; without meaning on a CPU"),
            free_at_resume(integer("log_every", 0, 0, 1e12, "steps between lines of the log; 0: about 1,000 lines a run")),
            free_at_resume(number("checkpoint_every", 300.0, 0, 1e9, "seconds between checkpoints")),
            boolean("fuse", true, "neighbouring layers as one kernel where there is one"),
            boolean("share_scores", true,
                    "with `fakes: reuse` and the generator first, one forward of the discriminator on the fakes serves both "
                    "updates where it has no dropout; the same bits but for `join_batches`"),
            boolean("join_batches", true,
                    "the discriminator takes real and fake images as one batch where none of its layers couples samples or draws "
                    "random numbers; sums over the batch are then rounded in another order: in the first update the norm of "
                    "its gradient differs by less than 1e-4 of itself"),
            boolean("allow_size_mismatch", false,
                    "the generator may make images of another size than the data's, where the discriminator takes both; to run "
                    "published nets that do so, as the size alone tells them apart"),
        }};
    return spec;
}

const ObjectSpec& classifier_file_spec() {
    static const ObjectSpec spec = [] {
        ObjectSpec out = {
            "A classifier",
            "A file with the list `classifier` instead of the two of a GAN trains a net that tells the data set's labels apart, "
            "by "
            "softmax cross-entropy, and says how often it is right on the test split after every epoch. `apps/evaluate` reads "
            "samples with it.",
            {{.name = "classifier",
              .kind = Kind::layers,
              .doc = "its layers, from image to one score for each label: it ends in `linear` without an activation",
              .required = true}}};
        for (const Key& key : file_spec().keys)
            for (const char* shared :
                 {"base", "set", "name", "version", "variables", "data", "init", "optimizer", "batch", "steps", "epochs", "seed",
                  "compute", "cpu", "cuda", "log_every", "checkpoint_every", "fuse"})
                if (key.name == shared) out.keys.push_back(key);
        return out;
    }();
    return spec;
}

const ObjectSpec& data_spec() {
    static const ObjectSpec spec = {
        "data",
        "",
        {
            word("set", "mnist", dataset_names(), "the data set"),
            {.name = "path",
             .kind = Kind::text,
             .doc = "folder of its files, or of `folder` a tar or zip archive as well; empty: looked for in the usual places",
             .otherwise = "",
             .is_path = true,
             .free_at_resume = true},
            word("split", "train", {"train", "test"}, "which part of it"),
            integer("size", 0, 0, 4096, "side of the square to resize to, in pixels; 0: as they are"),
            integer("channels", 0, 0, 3,
                    "1: grey, 3: colour, of grey images three equal channels; 0: as they are, and `folder` in colour"),
            integer("first", 0, 0, 1e12, "use only the first N images; 0: all"),
            integer("crop", 0, 0, 65536,
                    "of `folder`: side of the middle square to cut out before the resize; 0: nothing is cut"),
            text("background", "white", "of `folder`: the colour behind transparent pixels, `white`, `black` or `#rrggbb`"),
            free_at_resume(
                word("broken", "error", words(skip_broken),
                     "of `folder`: a file that cannot be decoded, or a folder that cannot be read, is an `error`, or is omitted "
                     "and counted (`skip`)")),
            free_at_resume(
                boolean("cache", true,
                        "of `folder`: keep the decoded images in `~/.cache/gannet` for the next time (20 GB at most, or "
                        "`GANNET_CACHE_GB`)")),
            free_at_resume(
                integer("max_pixels", 100000000, 1, 1e12, "of `folder`: a file with more is refused before it is decoded")),
            free_at_resume(integer(
                "max_bytes", 1073741824, 1, 1e15,
                "of an archive: what it may unpack to; one of more is refused, unless that is at most 200 times its own size")),
            {.name = "range",
             .kind = Kind::numbers,
             .doc = "values of black and white; fit for a generator that ends in `tanh`. `[0, 1]` for `sigmoid`",
             .otherwise = List{-1.0, 1.0},
             .min = -1e6,
             .max = 1e6,
             .length = 2},
            boolean("shuffle", true, "a new order for each epoch"),
        }};
    return spec;
}

const ObjectSpec& latent_spec() {
    static const ObjectSpec spec = {
        "latent",
        "The random vector that the generator makes an image of.",
        {
            integer("size", 100, 1, 1e6, "its length"),
            word("distribution", "normal", words(distributions), "`normal`: mean 0, deviation 1; `uniform`: between -1 and 1"),
        }};
    return spec;
}

const ObjectSpec& init_spec() {
    static const ObjectSpec spec = {
        "init",
        "`torch` is U(-b, b) with b = 1 / sqrt(fan in), PyTorch's default for weights and biases; `normal` is N(0, std); the "
        "others are those of "
        "Glorot and He.",
        {
            word("conv", "torch", words(weight_rules), "weights of `conv2d` and `conv_transpose2d`"),
            word("linear", "torch", words(weight_rules), "weights of `linear`"),
            number("std", 0.02, 0, 1e3, "standard deviation of `normal`"),
            word("bias", "torch", words(zero_biases), "biases of those layers"),
            number("gamma_std", 0.0, 0, 1e3, "batch norm scales begin as N(1, gamma_std)"),
        }};
    return spec;
}

const ObjectSpec& samples_spec() {
    static const ObjectSpec spec = {
        "samples",
        "Grids of what the generator makes of the same latent vectors, as PNG files in the run's folder.",
        {
            integer("rows", 8, 1, 100, "rows of the grid"),
            integer("columns", 8, 1, 100, "columns of the grid"),
            integer("every", 0, 0, 1e12, "steps between grids; 0: about 20 a run"),
            word("statistics", "running", words(batch_statistics),
                 "batch norm by its `running` statistics, or by those of the `batch` of samples"),
            word("contrast", "fixed", words(min_max_contrast),
                 "black and white are `data.range`, `fixed`, or the least and the largest value of the grid (`min_max`, "
                 "torchvision's `normalize=True`), which hides that a generator fades"),
        }};
    return spec;
}

const ObjectSpec& observe_spec() {
    static const ObjectSpec spec = {
        "observe",
        "What the log and `plots/` show besides the losses: histograms of the weights and of their gradients, the mean and "
        "spread of "
        "what each layer makes, pixel mean, spread and variety of the samples beside the data's, how the discriminator scores "
        "both, and the gradient's norm under a gradient penalty. They change no number of the training. One observation, plots "
        "included, takes 16 ms of one thread with vanilla.json, 30 with dcgan.json, 41 with wgan.json: every 100 steps, 1.2, 0.5 "
        "and "
        "0.1 % of the time.",
        {
            integer("every", 0, 0, 1e12, "steps between observations; 0: about 50 per run, at least 100 steps apart"),
        }};
    return spec;
}

const ObjectSpec& compute_spec() {
    static const ObjectSpec spec = {
        "compute",
        "The numbers that a device computes with. What it lacks is refused before the first step. Sums are fp32.",
        {
            word("precision", "fp32", words(precisions),
                 "precision of the factors of matrix products and convolutions: `fp32`, or `tf32` or `bf16` on the tensor "
                 "cores of a GPU (sm_80 and later), where convolutions that are not one matrix product stay fp32"),
            word("storage", "fp32", words(storages), "how activations and packed weights are stored; no device has `bf16` yet"),
        }};
    return spec;
}

const ObjectSpec& cpu_spec() {
    static const ObjectSpec spec = {
        "cpu",
        "How a CPU computes. A GPU ignores these.",
        {
            boolean("exact", false,
                    "compute 4x4 convolutions of stride 2 directly instead of with Winograd: takes about twice the time; "
                    "Winograd's rounding errors are four to sixteen times as large, up to 8e-6 of the values"),
        }};
    return spec;
}

const ObjectSpec& cuda_spec() {
    static const ObjectSpec spec = {
        "cuda",
        "How a GPU computes. A CPU ignores these.",
        {
            free_at_resume(
                boolean("graph", true, "record a training step once as a CUDA graph and replay it; the same bits as without")),
            word("precision", {}, words(precisions), "the old name of `compute.precision`; not both"),
            word("matmul", "auto", words(matmul_choices),
                 "whose matrix products: `own`, `cublas`, or by a fixed rule of shape and GPU"),
            {.name = "tune",
             .kind = Kind::anything,
             .doc =
                 "a file that `apps/bench MODEL --tune FILE` wrote on this kind of GPU: whose each product is, measured, before "
                 "the rule of `matmul`. The run's `config.json` keeps what it says",
             .is_path = true},
            free_at_resume(
                word("data", "auto", words(cuda_data),
                     "the images are `resident` in the GPU's memory, or `streamed` to it beside the training; `auto` streams a "
                     "set that "
                     "takes more than half of the memory that is free")),
        }};
    return spec;
}

const std::vector<const ObjectSpec*>& model_specs() {
    static const std::vector<const ObjectSpec*> all = [] {
        std::vector<const ObjectSpec*> specs = {&file_spec(),       &data_spec(),      &latent_spec(),
                                                &init_spec(),       &objective_spec(), &penalty_spec(),
                                                &accumulate_spec(), &warm_up_spec(),   &overrides_spec()};
        for (const OptimizerKind& kind : optimizer_kinds()) specs.push_back(&kind.spec);
        specs.push_back(&samples_spec());
        specs.push_back(&observe_spec());
        specs.push_back(&compute_spec());
        specs.push_back(&cpu_spec());
        specs.push_back(&cuda_spec());
        specs.push_back(&classifier_file_spec());
        return specs;
    }();
    return all;
}

}  // namespace gannet::config
