#include "engine/model/sections.h"

#include "engine/model/choices.h"

namespace gannet::config {

const ObjectSpec& file_spec() {
    static const ObjectSpec spec = {
        "The file",
        "One object. Exactly one of `steps` and `epochs` must be there; `--steps` and `--epochs` replace either.",
        {
            {.name = "base",
             .kind = Kind::text,
             .doc = "another model file, read first; this one then says only what is different (see above)"},
            {.name = "set", .kind = Kind::anything, .doc = "with `base`: an object of paths as in `--set`, and their values"},
            {.name = "name",
             .kind = Kind::text,
             .doc = "of the model and its run folder; the file's own name unless given",
             .free_at_resume = true},
            {.name = "version",
             .kind = Kind::text,
             .doc = "the build that wrote a run's `config.json`; not read",
             .free_at_resume = true},
            {.name = "variables", .kind = Kind::anything, .doc = "an object of integers, or expressions of earlier variables"},
            {.name = "data", .kind = Kind::object, .doc = "the real images", .otherwise = Members{}, .object = &data_spec()},
            {.name = "latent",
             .kind = Kind::object,
             .doc = "the generator's input",
             .otherwise = Members{},
             .object = &latent_spec()},
            {.name = "init",
             .kind = Kind::object,
             .doc = "initial values of the parameters",
             .otherwise = Members{},
             .object = &init_spec()},
            {.name = "generator", .kind = Kind::layers, .doc = "its layers, from latent vector to image", .required = true},
            {.name = "discriminator", .kind = Kind::layers, .doc = "its layers, from image to one value", .required = true},
            {.name = "objective",
             .kind = Kind::object,
             .doc = "losses and schedule",
             .required = true,
             .object = &objective_spec()},
            {.name = "optimizer", .kind = Kind::anything, .doc = "how gradients become updates", .required = true},
            {.name = "batch",
             .kind = Kind::integer,
             .doc = "real images in a batch, and as many fake ones",
             .otherwise = 64,
             .min = 1,
             .max = 1e6},
            {.name = "steps",
             .kind = Kind::integer,
             .doc = "length of the training, in rounds of the schedule",
             .min = 1,
             .max = 1e12,
             .free_at_resume = true},
            {.name = "epochs",
             .kind = Kind::integer,
             .doc = "length of the training, in rounds of the data",
             .min = 1,
             .max = 1e9,
             .free_at_resume = true},
            {.name = "seed",
             .kind = Kind::integer,
             .doc = "of everything random; same seed, same bits",
             .otherwise = 0,
             .min = 0},
            {.name = "samples",
             .kind = Kind::object,
             .doc = "the grids of samples",
             .otherwise = Members{},
             .object = &samples_spec(),
             .free_at_resume = true},
            {.name = "observe",
             .kind = Kind::object,
             .doc = "looks at the training from inside",
             .otherwise = Members{},
             .object = &observe_spec(),
             .free_at_resume = true},
            {.name = "on_collapse",
             .kind = Kind::text,
             .doc = "where the losses or the samples say that the training has collapsed: a line and an event in the log "
                    "(`warn`), or the end of the run as well, everything saved (`stop`, exit status 1)",
             .otherwise = "warn",
             .choices = words(stop_on_collapse),
             .free_at_resume = true},
            {.name = "compute",
             .kind = Kind::object,
             .doc = "the numbers that a device computes with",
             .otherwise = Members{},
             .object = &compute_spec()},
            {.name = "cpu", .kind = Kind::object, .doc = "how a CPU computes", .otherwise = Members{}, .object = &cpu_spec()},
            {.name = "cuda",
             .kind = Kind::object,
             .doc = "how a GPU computes; without meaning on a CPU",
             .otherwise = Members{},
             .object = &cuda_spec()},
            {.name = "log_every",
             .kind = Kind::integer,
             .doc = "steps between lines of the log; 0: about 1,000 lines a run",
             .otherwise = 0,
             .min = 0,
             .max = 1e12,
             .free_at_resume = true},
            {.name = "checkpoint_every",
             .kind = Kind::number,
             .doc = "seconds between checkpoints",
             .otherwise = 300.0,
             .min = 0,
             .max = 1e9,
             .free_at_resume = true},
            {.name = "fuse",
             .kind = Kind::boolean,
             .doc = "neighbouring layers as one kernel where there is one",
             .otherwise = true},
            {.name = "share_scores",
             .kind = Kind::boolean,
             .doc = "with `fakes: reuse` and the generator first, one forward of the discriminator on the fakes serves both "
                    "updates where it has no dropout; the same bits but for `join_batches`",
             .otherwise = true},
            {.name = "join_batches",
             .kind = Kind::boolean,
             .doc = "the discriminator takes real and fake images as one batch where none of its layers couples samples or draws "
                    "random numbers; sums over the batch are then rounded in another order: in the first update the norm of "
                    "its gradient differs by less than 1e-4 of itself",
             .otherwise = true},
            {.name = "allow_size_mismatch",
             .kind = Kind::boolean,
             .doc = "the generator may make images of another size than the data's, where the discriminator takes both; to run "
                    "published nets that do so, as the size alone tells them apart",
             .otherwise = false},
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
            {.name = "set", .kind = Kind::text, .doc = "the data set", .otherwise = "mnist", .choices = dataset_names()},
            {.name = "path",
             .kind = Kind::text,
             .doc = "folder of its files, or of `folder` a tar or zip archive as well; empty: looked for in the usual places",
             .otherwise = "",
             .is_path = true,
             .free_at_resume = true},
            {.name = "split", .kind = Kind::text, .doc = "which part of it", .otherwise = "train", .choices = {"train", "test"}},
            {.name = "size",
             .kind = Kind::integer,
             .doc = "side of the square to resize to, in pixels; 0: as they are",
             .otherwise = 0,
             .min = 0,
             .max = 4096},
            {.name = "channels",
             .kind = Kind::integer,
             .doc = "1: grey, 3: colour, of grey images three equal channels; 0: as they are, and `folder` in colour",
             .otherwise = 0,
             .min = 0,
             .max = 3},
            {.name = "first",
             .kind = Kind::integer,
             .doc = "use only the first N images; 0: all",
             .otherwise = 0,
             .min = 0,
             .max = 1e12},
            {.name = "crop",
             .kind = Kind::integer,
             .doc = "of `folder`: side of the middle square to cut out before the resize; 0: nothing is cut",
             .otherwise = 0,
             .min = 0,
             .max = 65536},
            {.name = "background",
             .kind = Kind::text,
             .doc = "of `folder`: the colour behind transparent pixels, `white`, `black` or `#rrggbb`",
             .otherwise = "white"},
            {.name = "broken",
             .kind = Kind::text,
             .doc = "of `folder`: a file that cannot be decoded, or a folder that cannot be read, is an `error`, or is omitted "
                    "and counted (`skip`)",
             .otherwise = "error",
             .choices = words(skip_broken),
             .free_at_resume = true},
            {.name = "cache",
             .kind = Kind::boolean,
             .doc = "of `folder`: keep the decoded images in `~/.cache/gannet` for the next time (20 GB at most, or "
                    "`GANNET_CACHE_GB`)",
             .otherwise = true,
             .free_at_resume = true},
            {.name = "max_pixels",
             .kind = Kind::integer,
             .doc = "of `folder`: a file with more is refused before it is decoded",
             .otherwise = 100000000,
             .min = 1,
             .max = 1e12,
             .free_at_resume = true},
            {.name = "max_bytes",
             .kind = Kind::integer,
             .doc = "of an archive: what it may unpack to; one of more is refused, unless that is at most 200 times its own size",
             .otherwise = 1073741824,
             .min = 1,
             .max = 1e15,
             .free_at_resume = true},
            {.name = "range",
             .kind = Kind::numbers,
             .doc = "values of black and white; fit for a generator that ends in `tanh`. `[0, 1]` for `sigmoid`",
             .otherwise = List{-1.0, 1.0},
             .min = -1e6,
             .max = 1e6,
             .length = 2},
            {.name = "shuffle", .kind = Kind::boolean, .doc = "a new order for each epoch", .otherwise = true},
        }};
    return spec;
}

const ObjectSpec& latent_spec() {
    static const ObjectSpec spec = {
        "latent",
        "The random vector that the generator makes an image of.",
        {
            {.name = "size", .kind = Kind::integer, .doc = "its length", .otherwise = 100, .min = 1, .max = 1e6},
            {.name = "distribution",
             .kind = Kind::text,
             .doc = "`normal`: mean 0, deviation 1; `uniform`: between -1 and 1",
             .otherwise = "normal",
             .choices = words(distributions)},
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
            {.name = "conv",
             .kind = Kind::text,
             .doc = "weights of `conv2d` and `conv_transpose2d`",
             .otherwise = "torch",
             .choices = words(weight_rules)},
            {.name = "linear",
             .kind = Kind::text,
             .doc = "weights of `linear`",
             .otherwise = "torch",
             .choices = words(weight_rules)},
            {.name = "std",
             .kind = Kind::number,
             .doc = "standard deviation of `normal`",
             .otherwise = 0.02,
             .min = 0,
             .max = 1e3},
            {.name = "bias",
             .kind = Kind::text,
             .doc = "biases of those layers",
             .otherwise = "torch",
             .choices = words(zero_biases)},
            {.name = "gamma_std",
             .kind = Kind::number,
             .doc = "batch norm scales begin as N(1, gamma_std)",
             .otherwise = 0.0,
             .min = 0,
             .max = 1e3},
        }};
    return spec;
}

const ObjectSpec& samples_spec() {
    static const ObjectSpec spec = {
        "samples",
        "Grids of what the generator makes of the same latent vectors, as PNG files in the run's folder.",
        {
            {.name = "rows", .kind = Kind::integer, .doc = "rows of the grid", .otherwise = 8, .min = 1, .max = 100},
            {.name = "columns", .kind = Kind::integer, .doc = "columns of the grid", .otherwise = 8, .min = 1, .max = 100},
            {.name = "every",
             .kind = Kind::integer,
             .doc = "steps between grids; 0: about 20 a run",
             .otherwise = 0,
             .min = 0,
             .max = 1e12},
            {.name = "statistics",
             .kind = Kind::text,
             .doc = "batch norm by its `running` statistics, or by those of the `batch` of samples",
             .otherwise = "running",
             .choices = words(batch_statistics)},
            {.name = "contrast",
             .kind = Kind::text,
             .doc = "black and white are `data.range`, `fixed`, or the least and the largest value of the grid (`min_max`, "
                    "torchvision's `normalize=True`), which hides that a generator fades",
             .otherwise = "fixed",
             .choices = words(min_max_contrast)},
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
            {.name = "every",
             .kind = Kind::integer,
             .doc = "steps between observations; 0: about 50 per run, at least 100 steps apart",
             .otherwise = 0,
             .min = 0,
             .max = 1e12},
        }};
    return spec;
}

const ObjectSpec& compute_spec() {
    static const ObjectSpec spec = {
        "compute",
        "The numbers that a device computes with. What it lacks is refused before the first step. Sums are fp32.",
        {
            {.name = "precision",
             .kind = Kind::text,
             .doc = "precision of the factors of matrix products and convolutions: `fp32`, or `tf32` or `bf16` on the tensor "
                    "cores of a GPU (sm_80 and later), where convolutions that are not one matrix product stay fp32",
             .otherwise = "fp32",
             .choices = words(precisions)},
            {.name = "storage",
             .kind = Kind::text,
             .doc = "how activations and packed weights are stored; no device has `bf16` yet",
             .otherwise = "fp32",
             .choices = words(storages)},
        }};
    return spec;
}

const ObjectSpec& cpu_spec() {
    static const ObjectSpec spec = {
        "cpu",
        "How a CPU computes. A GPU ignores these.",
        {
            {.name = "exact",
             .kind = Kind::boolean,
             .doc = "compute 4x4 convolutions of stride 2 directly instead of with Winograd: takes about twice the time; "
                    "Winograd's rounding errors are four to sixteen times as large, up to 8e-6 of the values",
             .otherwise = false},
        }};
    return spec;
}

const ObjectSpec& cuda_spec() {
    static const ObjectSpec spec = {
        "cuda",
        "How a GPU computes. A CPU ignores these.",
        {
            {.name = "graph",
             .kind = Kind::boolean,
             .doc = "record a training step once as a CUDA graph and replay it; the same bits as without",
             .otherwise = true,
             .free_at_resume = true},
            {.name = "precision",
             .kind = Kind::text,
             .doc = "the old name of `compute.precision`; not both",
             .choices = words(precisions)},
            {.name = "matmul",
             .kind = Kind::text,
             .doc = "whose matrix products: `own`, `cublas`, or by a fixed rule of shape and GPU",
             .otherwise = "auto",
             .choices = words(matmul_choices)},
            {.name = "tune",
             .kind = Kind::anything,
             .doc =
                 "a file that `apps/bench MODEL --tune FILE` wrote on this kind of GPU: whose each product is, measured, before "
                 "the rule of `matmul`. The run's `config.json` keeps what it says",
             .is_path = true},
            {.name = "data",
             .kind = Kind::text,
             .doc = "the images are `resident` in the GPU's memory, or `streamed` to it beside the training; `auto` streams a "
                    "set that "
                    "takes more than half of the memory that is free",
             .otherwise = "auto",
             .choices = words(cuda_data),
             .free_at_resume = true},
        }};
    return spec;
}

const std::vector<const ObjectSpec*>& model_specs() {
    static const std::vector<const ObjectSpec*> all = [] {
        std::vector<const ObjectSpec*> specs = {&file_spec(),       &data_spec(),      &latent_spec(),
                                                &init_spec(),       &objective_spec(), &penalty_spec(),
                                                &accumulate_spec(), &warm_up_spec(),   &overrides_spec()};
        specs.insert(specs.end(), optimizer_specs().begin(), optimizer_specs().end());
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
