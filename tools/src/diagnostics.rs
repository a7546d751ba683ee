//! Messages on standard error: what is wrong, and where, with the line and a caret under it.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::io::IsTerminal;
use windlass::ir::text::Span;

fn renderer() -> Renderer {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if color { Renderer::styled() } else { Renderer::plain() }
}

/// A message about no place in particular.
pub fn message(text: &str) {
    eprintln!("{}", renderer().render(&[Group::with_title(Level::ERROR.primary_title(text))]));
}

/// A message about a place in a file.
pub fn at(path: &str, text: &str, span: Span, message: &str) {
    eprintln!("{}", render(&renderer(), path, text, span, message));
}

/// The message as text: title, `path:line:column`, the line, a caret under the span's part of it.
fn render(renderer: &Renderer, path: &str, text: &str, span: Span, message: &str) -> String {
    // A whole function may be at fault: its first line says enough, and the renderer sees no more than that.
    let start = floor(text, span.start as usize);
    let end = floor(text, (span.end as usize).max(start));
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let number = text[..line_start].bytes().filter(|&b| b == b'\n').count() + 1;
    let line = &text[line_start..line_end];
    let from = start - line_start;
    let to = (end.min(line_end) - line_start).max(from);
    let snippet = Snippet::source(line)
        .path(path)
        .line_start(number)
        .annotation(AnnotationKind::Primary.span(from..to));
    let group = Level::ERROR.primary_title(message).element(snippet);
    renderer.render(&[group]).to_string()
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_file_line_and_column_with_a_caret() {
        let text = "function %f() {\nblock0:\n    v1 = iadd v0, v0\n}\n";
        let span = Span::new(38, 40);
        assert_eq!(span.of(text), "v0");
        let out = render(&Renderer::plain(), "a.clif", text, span, "v0 is not defined");
        assert!(out.contains("error: v0 is not defined"), "{out}");
        assert!(out.contains("a.clif:3:15"), "{out}");
        assert!(out.contains("v1 = iadd v0, v0"), "{out}");
        assert!(out.contains("^^"), "{out}");
    }

    #[test]
    fn spans_outside_of_the_text_do_no_harm() {
        for (start, end) in [(0, 0), (1, 500), (500, 501), (3, 1)] {
            let out = render(&Renderer::plain(), "a.clif", "ä\n", Span::new(start, end), "no");
            assert!(out.contains("a.clif"), "{out}");
        }
        render(&Renderer::plain(), "a.clif", "", Span::new(0, 0), "no");
    }
}
