//! Values by name, and by a number that is quicker to look up.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub struct Table<Name, Value> {
    numbers: HashMap<Name, usize>,
    values: Vec<Value>,
}

impl<Name, Value> Default for Table<Name, Value> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

impl<Name: Eq + Hash, Value> Table<Name, Value> {
    /// Stores a value; answers the number of its name, which never changes.
    pub fn put(&mut self, name: Name, value: Value) -> usize {
        let number = *self.numbers.entry(name).or_insert(self.values.len());
        match self.values.get_mut(number) {
            Some(known) => *known = value,
            None => self.values.push(value),
        }
        number
    }

    /// Stores a value under a name that is known; nobody asks for others.
    pub fn replace(&mut self, name: &Name, value: Value) {
        let known = self.numbers.get(name).and_then(|number| self.values.get_mut(*number));
        if let Some(known) = known {
            *known = value;
        }
    }

    /// The value of a number.
    pub fn get(&self, number: usize) -> Option<&Value> {
        self.values.get(number)
    }

    /// Of each number whether name and value are so.
    pub fn which(&self, is_so: impl Fn(&Name, &Value) -> bool) -> Vec<bool> {
        let mut which = vec![false; self.values.len()];
        for (name, number) in &self.numbers {
            if let (Some(place), Some(value)) = (which.get_mut(*number), self.values.get(*number)) {
                *place = is_so(name, value);
            }
        }
        which
    }
}
