//! A reader of ISLE text, as far as its shape goes: lists and words.

/// A list or a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sexpr {
    /// A name, a number, an operator.
    Atom(String),
    /// What stands in parentheses.
    List(Vec<Sexpr>),
}

impl Sexpr {
    /// The word, if it is one.
    pub fn atom(&self) -> Option<&str> {
        match self {
            Sexpr::Atom(word) => Some(word),
            Sexpr::List(_) => None,
        }
    }

    /// The elements, if it is a list.
    pub fn list(&self) -> Option<&[Sexpr]> {
        match self {
            Sexpr::Atom(_) => None,
            Sexpr::List(items) => Some(items),
        }
    }

    /// The list's first element, if that is a word, and the others.
    pub fn call(&self) -> Option<(&str, &[Sexpr])> {
        let (head, rest) = self.list()?.split_first()?;
        Some((head.atom()?, rest))
    }
}

/// Reads a file's top-level expressions. Text that ISLE would refuse is read as far as it goes: the rule compiler
/// is the one that reports.
pub fn read(text: &str) -> Vec<Sexpr> {
    let mut stack: Vec<Vec<Sexpr>> = vec![Vec::new()];
    let mut word = String::new();
    let flush = |word: &mut String, stack: &mut Vec<Vec<Sexpr>>| {
        if !word.is_empty()
            && let Some(top) = stack.last_mut()
        {
            top.push(Sexpr::Atom(std::mem::take(word)));
        }
    };
    for line in text.lines() {
        let code = line.split(';').next().unwrap_or("");
        for c in code.chars() {
            match c {
                '(' => {
                    flush(&mut word, &mut stack);
                    stack.push(Vec::new());
                }
                ')' => {
                    flush(&mut word, &mut stack);
                    if stack.len() > 1
                        && let Some(list) = stack.pop()
                        && let Some(top) = stack.last_mut()
                    {
                        top.push(Sexpr::List(list));
                    }
                }
                c if c.is_whitespace() => flush(&mut word, &mut stack),
                c => word.push(c),
            }
        }
        flush(&mut word, &mut stack);
    }
    stack.swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_end_with_the_line() {
        let read = read("(a (b c) ; (d\n 1) x");
        assert_eq!(read.len(), 2);
        let (head, rest) = read[0].call().unwrap();
        assert_eq!((head, rest.len()), ("a", 2));
        assert_eq!(rest[0].call().unwrap().0, "b");
        assert_eq!(read[1].atom(), Some("x"));
    }
}
