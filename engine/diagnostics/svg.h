// SVG as text. Coordinates are pixels from the top left.
#pragma once
#include <string>
#include <vector>

namespace gannet::plots {

struct Box {
    double x = 0, y = 0, w = 0, h = 0;
    double right() const { return x + w; }
    double bottom() const { return y + h; }
};

struct Pen {
    std::string colour;
    double width = 1.5, opacity = 1;
    std::string dash;  // "6 3": lengths of strokes and of gaps
};

struct Font {
    double size = 12;
    std::string anchor = "start";  // or middle, end
    std::string colour = "#333333";
    bool bold = false, upwards = false;
};

// Escapes text and attributes; characters that XML cannot represent become U+FFFD.
std::string escape(const std::string& text);
// Shortest with at most `decimals` decimals, whatever the locale.
std::string decimal(double value, int decimals = 1);
// An estimate of the width in common sans-serif fonts.
double text_width(const std::string& text, double size);
// Cuts the front of a text until it fits: in a name like "generator.12.main.3.weight" the end is most important.
std::string fit(const std::string& text, double width, double size);
std::vector<std::string> wrap(const std::string& text, double width, double size);

class Canvas {
public:
    void text(double x, double y, const std::string& words, const Font& font = {});
    // Lines of at most `width`; returns the next line's y.
    double paragraph(double x, double y, double width, const std::string& words, const Font& font = {});
    void line(double x1, double y1, double x2, double y2, const Pen& pen);
    void path(const std::string& d, const Pen& pen);  // an outline
    void shape(const std::string& d, const std::string& fill);
    void dot(double x, double y, const Pen& pen);
    void rectangle(const Box& box, const std::string& fill);
    void element(const std::string& xml) { content_ += xml + "\n"; }
    std::string file(double width, double height, const std::string& title) const;

private:
    std::string content_;
};

}  // namespace gannet::plots
