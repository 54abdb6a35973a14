// Files that a run writes: atomic files, PNG, run folders, the log, the progress line.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <thread>

#include "base/files.h"
#include "base/image.h"
#include "base/safetensors.h"
#include "data/decode.h"
#include "engine/gan/sampler.h"
#include "engine/model/model.h"
#include "engine/run/interrupt.h"
#include "engine/run/log.h"
#include "engine/run/progress.h"
#include "engine/run/run_folder.h"
#include "tests/image_files.h"
#include "tests/skip.h"
#include "tests/small_disk.h"
#include "tests/temporary.h"

using namespace gannet;

namespace {

std::size_t files_in(const std::string& folder) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) count += entry.path().string().empty() ? 0 : 1;
    return count;
}

}  // namespace

TEST_CASE("files: atomic_write replaces completely or not at all") {
    TemporaryFolder folder;
    const std::string file = folder / "file";
    atomic_write(file, "old");
    atomic_write(file, "newer");
    CHECK(read_file(file) == "newer");
    {
        SmallDisk disk(1000);
        CHECK(has(error_of([&] { atomic_write(file, std::string(5000, 'x')); }), "cannot write: "));
        Safetensors content;
        content.arrays.push_back(make_array<float>("a", {1000}, std::vector<float>(1000)));
        CHECK_FALSE(error_of([&] { write_safetensors(file, content); }).empty());
        CHECK_FALSE(error_of([&] { write_png(file, std::vector<uint8_t>(1).data(), 0, 1, 1); }).empty());
    }
    CHECK(read_file(file) == "newer");
    CHECK(files_in(folder.path) == 1);
    { AtomicFile never(file); }
    CHECK(files_in(folder.path) == 1);
    // Files left by a killed process do not matter.
    folder.write(".file.gannet-0", "half");
    atomic_write(file, "third");
    CHECK(read_file(file) == "third");
    CHECK(files_in(folder.path) == 1);
    // A folder of the same name does not matter either, and the user's own files stay.
    make_folders(folder / ".file.gannet-0");
    folder.write("file.tmp", "mine");
    atomic_write(file, "fourth");
    CHECK(read_file(file) == "fourth");
    CHECK(read_file(folder / "file.tmp") == "mine");
    CHECK(files_in(folder.path) == 3);
    std::filesystem::remove(folder / ".file.gannet-0");
    std::filesystem::remove(folder / "file.tmp");
    const std::string longest = folder / std::string(255, 'n');
    atomic_write(longest, "any");
    std::filesystem::remove(longest);
    CHECK(files_in(folder.path) == 1);

    std::filesystem::create_symlink("file", folder / "link");
    atomic_write(folder / "link", "through");
    CHECK(read_file(file) == "through");
    CHECK(std::filesystem::is_symlink(folder / "link"));

    CHECK(has(error_of([&] { atomic_write(folder.path, "x"); }), folder.path));
    CHECK(has(error_of([&] { atomic_write(folder / "absent/file", "x"); }), "absent/file"));
    CHECK(has(error_of([&] { read_file(folder / "absent"); }), "No such file"));
    CHECK(has(error_of([&] { read_file(folder.path); }), "cannot read"));
    CHECK(has(error_of([&] { make_folders(file); }), "cannot create the folder"));
}

TEST_CASE("files: each of two writers has its own temporary file, and the last commit wins") {
    TemporaryFolder folder;
    const std::string file = folder / "file", a(5000, 'a'), b(7000, 'b');
    AtomicFile first(file);
    first.write(a.data(), 2000);
    {
        AtomicFile second(file);
        second.write(b.data(), b.size());
        remove_dead_temporaries(folder.path);  // both writers are alive
        CHECK(files_in(folder.path) == 2);
        second.commit();
    }
    CHECK(read_file(file) == b);
    first.write(a.data() + 2000, 3000);
    first.commit();
    CHECK(read_file(file) == a);
    CHECK(files_in(folder.path) == 1);
    folder.write(".0.png.gannet-3", "of a killed program");
    folder.write(".gannet-3", "");
    folder.write("0.png.gannet-3", "");
    folder.write(".0.png.gannet-x", "");
    remove_dead_temporaries(folder.path);
    CHECK(files_in(folder.path) == 4);
    CHECK_FALSE(exists(folder / ".0.png.gannet-3"));
}

TEST_CASE("files: a replaced file keeps its mode") {
    TemporaryFolder folder;
    const mode_t mask = ::umask(027);
    const auto mode = [&](const std::string& name) {
        struct stat info {};
        ::stat((folder / name).c_str(), &info);
        return int(info.st_mode & 07777);
    };
    atomic_write(folder / "new", "x");
    CHECK(mode("new") == 0640);
    for (const int kept : {0600, 0444, 0666}) {
        ::chmod((folder / "new").c_str(), mode_t(kept));
        AtomicFile file(folder / "new");
        file.write("y", 1);
        CHECK(mode(".new.gannet-0") == 0600);  // the file may be private
        file.commit();
        CHECK(mode("new") == kept);
    }
    ::umask(mask);
}

TEST_CASE("files: a replaced file or folder keeps its group, or the group loses its rights") {
    TemporaryFolder folder;
    const std::string file = folder / "new";
    atomic_write(file, "x");
    ::chmod(file.c_str(), 0640);
    if (::chown(file.c_str(), uid_t(-1), 1234) != 0) return skipped("only root may give a file to any group");
    struct stat info {};
    atomic_write(file, "y");
    REQUIRE(::stat(file.c_str(), &info) == 0);
    CHECK(info.st_gid == 1234);
    CHECK((info.st_mode & 0777) == 0640);
    const std::string run = folder / "run";
    REQUIRE(::mkdir(run.c_str(), 0700) == 0);
    REQUIRE(::chown(run.c_str(), 1235, 1234) == 0);
    REQUIRE(::chmod(run.c_str(), 02750) == 0);
    RunFolder::create_inside(run, "{}", [](const RunFolder&) {});
    REQUIRE(::stat(run.c_str(), &info) == 0);
    CHECK(info.st_uid == 1235);
    CHECK(info.st_gid == 1234);
    CHECK((info.st_mode & 07777) == 02750);
    REQUIRE(::chown(folder.path.c_str(), 1235, gid_t(-1)) == 0);
    REQUIRE(::chown(file.c_str(), 1235, 1234) == 0);
    REQUIRE(::seteuid(1235) == 0);  // an owner who is not in the group
    const std::string error = error_of([&] { atomic_write(file, "z"); });
    REQUIRE(::seteuid(0) == 0);
    CHECK(error.empty());
    REQUIRE(::stat(file.c_str(), &info) == 0);
    CHECK(info.st_gid != 1234);
    CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("files: pipes with a writer are read, others are refused without waiting") {
    TemporaryFolder folder;
    const std::string pipe = folder / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(has(error_of([&] { read_file(pipe); }), "no program writes to this pipe"));
    CHECK(has(error_of([&] { config::load_model(pipe, {}); }), "no program writes to this pipe"));
    CHECK(has(error_of([&] { atomic_write(pipe, "x"); }), "a pipe that no program reads"));
    CHECK(has(error_of([&] { read_safetensors(pipe); }), "this is a pipe, not a file"));
    CHECK(has(error_of([&] { check_is_file("/dev/null"); }), "this is a device"));
    std::string read;
    std::thread reader([&] { read = read_file(pipe); });
    {
        std::ofstream writer(pipe);
        writer << "one ";
        writer.flush();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        writer << "two";
    }
    reader.join();
    CHECK(read == "one two");
    CHECK(read_file("/dev/zero", 7).size() == 7);

    make_folders(folder / "run");
    folder.write("run/config.json", "{}");
    for (const char* name : {"log.jsonl", "checkpoint.safetensors"}) {
        const std::string file = folder / (std::string("run/") + name);
        REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
        CHECK(has(error_of([&] { RunFolder::open(folder / "run"); }), "this is a pipe, not a file (" + file));
        ::unlink(file.c_str());
    }
    CHECK(has(error_of([&] { RunFolder::create("m", pipe, "{}"); }), "not a folder ("));
}

TEST_CASE("files: a full disk is an error, and a device is never replaced") {
    if (!exists("/dev/full")) return skipped("no /dev/full");
    const std::string error = error_of([] { atomic_write("/dev/full", "x"); });
    CHECK(has(error, "No space left on device (/dev/full): free some space"));
    CHECK_FALSE(error_of([] { write_safetensors("/dev/full", {}); }).empty());
    CHECK_FALSE(error_of([] { write_png("/dev/full", Image{1, 1, 1, {7}}); }).empty());
    CHECK(has(error_of([] { RunLog::create("/dev/full"); }), "No space left"));  // the first row does not fit
    struct stat info {};
    CHECK(::stat("/dev/full", &info) == 0);
    CHECK(S_ISCHR(info.st_mode));
    REQUIRE(::stat("/dev/null", &info) == 0);
    if (S_ISCHR(info.st_mode)) atomic_write("/dev/null", "x");
}

TEST_CASE("files: unwritable folders") {
    TemporaryFolder folder;
    std::filesystem::permissions(folder.path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    if (::access(folder.path.c_str(), W_OK) == 0) skipped("this user may write everywhere");
    else {
        CHECK(has(error_of([&] { atomic_write(folder / "a", "x"); }), "check the permissions"));
        CHECK(has(error_of([&] { RunFolder::create("m", folder / "run", "{}"); }), "cannot create the run's folder"));
    }
    std::filesystem::permissions(folder.path, std::filesystem::perms::owner_all);
    folder.write("plain", "");
    CHECK(has(error_of([&] { RunFolder::create("m", folder / "plain/run", "{}"); }), "plain"));
}

TEST_CASE("image: PNG round trip, sizes") {
    TemporaryFolder folder;
    const std::string file = folder / "a.png";
    for (int64_t C : {1, 3}) {
        Image image{5, 7, C, {}};
        for (int64_t i = 0; i < 35 * C; ++i) image.bytes.push_back(uint8_t(i * 37));
        write_png(file, image);
        const Image back = decode_image(bytes_of(file), {});
        CHECK(back.H == 5);
        CHECK(back.W == 7);
        CHECK(back.C == C);
        CHECK(back.bytes == image.bytes);
    }
    CHECK(has(error_of([&] { write_png(file, Image{2, 2, 2, std::vector<uint8_t>(8)}); }), "2 x 2 x 2"));
    CHECK(has(error_of([&] { write_png(file, Image{2, 2, 1, std::vector<uint8_t>(8)}); }), "8 bytes"));
}

TEST_CASE("image: bytes and grids") {
    const real nan = std::numeric_limits<real>::quiet_NaN(), inf = std::numeric_limits<real>::infinity();
    CHECK(to_bytes({-1, 1, 0, real(-0.999), 5, -5, nan, inf, -inf}, -1, 1) ==
          std::vector<uint8_t>{0, 255, 128, 0, 255, 0, 0, 255, 0});
    for (int byte = 0; byte < 256; ++byte) CHECK(to_bytes({real(byte / 255.0 * 2 - 1)}, -1, 1)[0] == byte);

    const std::vector<uint8_t> pixels{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};  // three images of 2 x 2
    const Image grid = image_grid(pixels, 2, 2, 2, 2, 1, 1);
    CHECK(grid.H == 7);
    CHECK(grid.W == 7);
    CHECK(grid.bytes == std::vector<uint8_t>{0, 0,  0,  0, 0, 0, 0,  //
                                             0, 1,  2,  0, 5, 6, 0,  //
                                             0, 3,  4,  0, 7, 8, 0,  //
                                             0, 0,  0,  0, 0, 0, 0,  //
                                             0, 9,  10, 0, 0, 0, 0,  //
                                             0, 11, 12, 0, 0, 0, 0,  //
                                             0, 0,  0,  0, 0, 0, 0});
    CHECK(image_grid(pixels, 1, 1, 2, 2, 3, 0).bytes == pixels);
    CHECK(image_grid(pixels, 1, 3, 2, 2, 1).W == 14);
    CHECK(has(error_of([&] { image_grid(pixels, 1, 2, 2, 2, 1); }), "12 bytes for 1 x 2 images of 4"));
    CHECK_FALSE(error_of([&] { image_grid(pixels, 5, 5, 3, 3, 1); }).empty());
}

TEST_CASE("run folder: names, existing folders, no incomplete folders") {
    TemporaryFolder folder;
    const std::string base = folder / "deep/runs";
    const RunFolder first = RunFolder::create("wgan", "", "{}", base);
    CHECK(first.path() == base + "/wgan");
    CHECK(RunFolder::create("wgan", "", "{}", base).path() == base + "/wgan-2");
    CHECK(RunFolder::create("wgan", "", "{}", base).path() == base + "/wgan-3");
    CHECK(read_file(first.config()) == "{}");
    CHECK(is_folder(first.path() + "/samples"));
    CHECK(first.sample(42) == base + "/wgan/samples/step_000042.png");
    CHECK(first.sample(12345678) == base + "/wgan/samples/step_12345678.png");

    const std::string out = folder / "mine";
    CHECK(RunFolder::create("wgan", out + "/", "{}").path() == out);
    CHECK(has(error_of([&] { RunFolder::create("wgan", out, "{}"); }), "ended before its first checkpoint"));
    CHECK(has(error_of([&] { RunFolder::create("wgan", first.path(), "{}"); }), "another program is training this run"));
    CHECK(files_in(base) == 3);
    std::ofstream(out + "/checkpoint.safetensors") << "any";
    const std::string error = error_of([&] { RunFolder::create("wgan", out, "{}"); });
    CHECK(has(error, "--out"));
    CHECK(has(error, "--resume " + out));
    std::filesystem::remove(out + "/checkpoint.safetensors");
    {
        SmallDisk disk(1000);
        CHECK_FALSE(error_of([&] { RunFolder::create("wgan", folder / "full", std::string(5000, ' ')); }).empty());
    }
    CHECK_FALSE(exists(folder / "full"));
    // `fill` writes its files before the folder appears; if it fails, nothing remains.
    const std::string filled = folder / "filled";
    RunFolder::create("m", filled, "{}", "runs", [&](const RunFolder& run) {
        CHECK_FALSE(exists(filled));
        atomic_write(run.checkpoint(), "first");
    });
    CHECK(read_file(filled + "/checkpoint.safetensors") == "first");
    CHECK_FALSE(error_of([&] {
                    RunFolder::create("m", folder / "n", "{}", "runs", [](const RunFolder&) { throw Error("no"); });
                }).empty());
    CHECK(files_in(folder.path) == 3);
    // An empty folder is used.
    make_folders(folder / "empty");
    CHECK(RunFolder::create_inside(folder / "empty/", "{}").path() == folder / "empty");
    CHECK(has(error_of([&] { RunFolder::create_inside(folder / "empty", "{}"); }), "ended before its first checkpoint"));

    CHECK(RunFolder::open(out + "/").path() == out);
    CHECK(has(error_of([&] { RunFolder::open(folder / "absent"); }), "no such run"));
    CHECK(has(error_of([&] { RunFolder::open(folder.path); }), "no config.json"));
    CHECK(has(error_of([&] { find_checkpoint(out); }), "no checkpoint yet"));
    atomic_write(first.checkpoint(), "");
    CHECK(find_checkpoint(first.path()) == first.checkpoint());
    CHECK(find_checkpoint(first.checkpoint()) == first.checkpoint());
    CHECK(has(error_of([&] { find_checkpoint(folder / "absent"); }), "no such run or checkpoint"));
}

TEST_CASE("log: rows, truncation on resume, full disk") {
    TemporaryFolder folder;
    const std::string file = folder / "log.jsonl";
    {
        RunLog log = RunLog::create(file);
        for (int step = 1; step <= 5; ++step) log.write({{"step", step}, {"loss_d", step == 2 ? NAN : 0.5}});
        CHECK(has(read_file(file), "null"));  // written at once, NaN as null
    }
    const std::string all = read_file(file);
    std::size_t third = 0;
    const std::string first = "{\"step\": 0, \"format\": 2}\n";
    CHECK(all.starts_with(first));
    for (int line = 0; line < 4; ++line) third = all.find('\n', third) + 1;
    folder.write("log.jsonl", all + "{\"step\": 6, \"lo");  // cut off by a crash
    { RunLog log = RunLog::resume(file, 5); }
    CHECK(read_file(file) == all);
    {
        RunLog log = RunLog::resume(file, 3);
        CHECK(read_file(file) == all.substr(0, third));
        log.write({{"step", 4}});
    }
    const std::string cut = read_file(file);
    CHECK(cut.substr(0, third) == all.substr(0, third));
    CHECK(has(cut.substr(third), "4"));
    {
        RunLog log = RunLog::resume(file, 4);
        SmallDisk disk(cut.size() + 10);
        CHECK(has(error_of([&] { log.write({{"step", 5}, {"text", std::string(100, 'x')}}); }), "cannot write the log"));
    }
    CHECK(read_file(file) == cut);  // no partial row
    { RunLog log = RunLog::create(file); }
    CHECK(read_file(file) == first);
    folder.write("torn.jsonl", all + std::string(700, '\0') + "\n");  // a power failure can leave zeros
    { RunLog log = RunLog::resume(folder / "torn.jsonl", 5); }
    CHECK(read_file(folder / "torn.jsonl") == all);
    folder.write("holed.jsonl", all.substr(0, third) + std::string(3, '\0') + all.substr(third));  // damaged: nothing is cut
    CHECK(has(error_of([&] { RunLog::resume(folder / "holed.jsonl", 5); }), "a line of the log has zeros in it (" + folder.path));
    CHECK(read_file(folder / "holed.jsonl").size() == all.size() + 3);
    folder.write("mixed.jsonl", all.substr(0, third) + "{\"step\": 99}\n" + all.substr(third));
    CHECK(has(error_of([&] { RunLog::resume(folder / "mixed.jsonl", 5); }),
              "a row of an earlier step follows one of a later step"));
    CHECK(RunLog::has_steps(folder / "mixed.jsonl"));
    CHECK_FALSE(RunLog::has_steps(folder / "absent.jsonl"));
    CHECK_FALSE(RunLog::has_steps(folder.write("first.jsonl", first + "{\"step\": 6, \"lo")));
    folder.write("empty.jsonl", "");
    { RunLog log = RunLog::resume(folder / "empty.jsonl", 5); }
    CHECK(read_file(folder / "empty.jsonl") == first);
    { RunLog log = RunLog::resume(folder / "new.jsonl", 3); }
    CHECK(exists(folder / "new.jsonl"));
    CHECK_FALSE(error_of([&] { RunLog::create(folder / "absent/log.jsonl"); }).empty());
    for (const char* foreign : {"garbage", "3", "{\"step\": \"one\"}", "{\"step\": 1}}", "{\"step\": 0, \"format\": 3}"}) {
        CAPTURE(foreign);
        folder.write("foreign.jsonl", "{\"step\": 1}\n" + std::string(foreign) + "\n");
        const std::string before = read_file(folder / "foreign.jsonl");
        CHECK(has(error_of([&] { RunLog::resume(folder / "foreign.jsonl", 1); }), "foreign.jsonl, line 2"));
        CHECK(read_file(folder / "foreign.jsonl") == before);
    }
}

TEST_CASE("progress: plain lines without a terminal") {
    TemporaryFolder folder;
    std::FILE* out = std::fopen((folder / "out").c_str(), "w");
    REQUIRE(out);
    {
        Progress progress(100, out);
        for (int step = 1; step <= 100; ++step)
            progress.update({step, step * 64, 6400 - step * 64, "loss_d 0.2500  loss_g 1.5000"});
    }
    std::fclose(out);
    const std::string text = read_file(folder / "out");
    CHECK(has(text, "step 1/100  loss_d 0.2500  loss_g 1.5000"));
    CHECK(has(text, "step 100/100"));
    CHECK_FALSE(has(text, "step 50/100"));
    CHECK_FALSE(has(text, "\r"));
    CHECK_FALSE(has(text.substr(0, text.find('\n')), "left"));  // unknown after one step
    CHECK_FALSE(has(text, "img/s  \n"));
    CHECK(duration_text(7) == "7s");
    CHECK(duration_text(725) == "12m 05s");
    CHECK(duration_text(11220) == "3h 07m");
    CHECK(duration_text(187200) == "2d 04h");
    CHECK(duration_text(-1) == "?");
}

namespace {

void sleep_ms(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

}  // namespace

TEST_CASE("progress: the estimate is right from the second line on for any cost of the first step and any schedule") {
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) return skipped("no terminal can be made");
    std::FILE* out = std::fopen(::ptsname(terminal), "w");
    REQUIRE(out);
    std::chrono::steady_clock::time_point begin, end;
    int shown = 0;
    {
        // 20 steps of 10 images, then 980 steps of one image; an image takes at least 5 ms.
        Progress progress(1000, out);
        sleep_ms(700);  // start-up
        for (int step = 1; step <= 20 && shown < 2; ++step) {
            if (step > 1) sleep_ms(50);
            if (step == 1) begin = std::chrono::steady_clock::now();
            if (progress.due(step)) ++shown, end = std::chrono::steady_clock::now();
            progress.update({step, step * 10, 1180 - step * 10, "loss"});
        }
    }
    std::string text;
    char part[256];
    ::fcntl(terminal, F_SETFL, O_NONBLOCK);
    for (ssize_t n = 0; (n = ::read(terminal, part, sizeof part)) > 0;) text.append(part, std::size_t(n));
    std::fclose(out);
    ::close(terminal);
    CAPTURE(text);
    int step = 0;
    const std::size_t second = text.find("step ", text.find("step 1/1000") + 5), left = text.find(" left");
    REQUIRE(second != std::string::npos);
    REQUIRE(left != std::string::npos);
    CHECK(left > second);
    REQUIRE(std::sscanf(text.c_str() + second, "step %d/", &step) == 1);
    const double each = std::chrono::duration<double>(end - begin).count() / double(10 * step - 10);
    CHECK(std::stod(text.substr(text.rfind(' ', left - 1) + 1)) == doctest::Approx(each * (1180 - 10 * step)).epsilon(0.3));
}

TEST_CASE("progress: a reader that does not read does not block the run") {
    int ends[2];
    REQUIRE(::pipe2(ends, O_NONBLOCK) == 0);
    const std::string block(4096, 'x');
    while (::write(ends[1], block.data(), block.size()) > 0) {
    }
    ::fcntl(ends[1], F_SETFL, 0);
    CHECK_FALSE(can_write(ends[1]));
    std::FILE* out = ::fdopen(ends[1], "w");
    {
        Progress progress(2, out);
        progress.update({1, 1, 1, "loss"});
        progress.say("a warning");
    }
    ::close(ends[0]);
    ignore_write_signals();
    CHECK_FALSE(can_write(::fileno(out)));  // the reader has closed the pipe
    std::fclose(out);
}

TEST_CASE("interrupts: handled by default, ignored if they were ignored before") {
    const auto raised = [](int signal, void (*before)(int)) {
        std::signal(signal, before);
        watch_interrupts();
        std::raise(signal);
        const bool noted = interrupted();
        clear_interrupt();
        return noted;
    };
    const int saved = ::dup(2), null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, 2);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) CHECK(raised(signal, SIG_DFL));
    for (const int signal : {SIGINT, SIGHUP}) CHECK_FALSE(raised(signal, SIG_IGN));
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) std::signal(signal, SIG_DFL);
    ::dup2(saved, 2);
    ::close(saved);
    ::close(null);
}
