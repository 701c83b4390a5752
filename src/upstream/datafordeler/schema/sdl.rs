//! A GraphQL schema as the client needs it: members of objects and of inputs, by name.

use std::collections::HashMap;

use graphql_parser::schema::{
    Definition, Document, Field, InputValue, Type, TypeDefinition, TypeExtension, parse_schema,
};

/// A text that is not a GraphQL schema. Says nothing of the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the service gave as its schema is none")]
pub struct NotASchema;

/// A schema's objects and inputs.
#[derive(Debug, Default)]
pub struct Sdl {
    objects: HashMap<String, Vec<Member>>,
    inputs: HashMap<String, Vec<Input>>,
    query: String,
}

#[derive(Debug)]
struct Member {
    name: String,
    base: String,
    arguments: Vec<Input>,
}

/// An argument, or a member of an input.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its type as written, such as `[String!]`.
    pub written: String,
    /// The named type within.
    pub base: String,
    /// Whether it takes a list.
    pub list: bool,
    /// Whether it has to be given.
    pub required: bool,
}

impl Sdl {
    /// Reads a schema. Its depth is bounded by the parser.
    pub fn parse(text: &str) -> Result<Self, NotASchema> {
        let document: Document<'_, String> = parse_schema(text).map_err(|_| NotASchema)?;
        let mut sdl = Self { query: "Query".to_owned(), ..Self::default() };
        for definition in document.definitions {
            sdl.take(definition);
        }
        if sdl.objects.contains_key(&sdl.query) { Ok(sdl) } else { Err(NotASchema) }
    }

    fn take(&mut self, definition: Definition<'_, String>) {
        use TypeDefinition as T;
        use TypeExtension as X;
        match definition {
            Definition::SchemaDefinition(schema) => {
                self.query = schema.query.unwrap_or_else(|| "Query".to_owned());
            }
            Definition::TypeDefinition(T::Object(object)) => self.object(object.name, object.fields),
            Definition::TypeDefinition(T::Interface(interface)) => self.object(interface.name, interface.fields),
            Definition::TypeExtension(X::Object(object)) => self.object(object.name, object.fields),
            Definition::TypeDefinition(T::InputObject(input)) => self.input(input.name, input.fields),
            Definition::TypeExtension(X::InputObject(input)) => self.input(input.name, input.fields),
            _ => {}
        }
    }

    fn object(&mut self, name: String, fields: Vec<Field<'_, String>>) {
        let members = fields.into_iter().map(|field| Member {
            name: field.name,
            base: base(&field.field_type).to_owned(),
            arguments: field.arguments.into_iter().map(input).collect(),
        });
        self.objects.entry(name).or_default().extend(members);
    }

    fn input(&mut self, name: String, fields: Vec<InputValue<'_, String>>) {
        self.inputs.entry(name).or_default().extend(fields.into_iter().map(input));
    }

    /// The name of the query type.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The member of an object that is called `name`, in that case or else in any, and needs no argument: its name here,
    /// and its type where that is an object.
    pub fn member(&self, object: &str, name: &str) -> Option<(&str, Option<&str>)> {
        let found = self.find(object, name)?;
        let usable = !found.arguments.iter().any(|argument| argument.required);
        usable.then(|| (found.name.as_str(), self.as_object(&found.base)))
    }

    /// The arguments of a member, and its type where that is an object.
    pub fn arguments(&self, object: &str, name: &str) -> Option<(&str, &[Input], Option<&str>)> {
        let found = self.find(object, name)?;
        Some((&found.name, &found.arguments, self.as_object(&found.base)))
    }

    /// The names of an object's members.
    pub fn names(&self, object: &str) -> impl Iterator<Item = &str> {
        self.objects.get(object).into_iter().flatten().map(|member| member.name.as_str())
    }

    /// The members of an input; none where `name` is not one.
    pub fn inputs(&self, name: &str) -> Option<&[Input]> {
        self.inputs.get(name).map(Vec::as_slice)
    }

    fn find(&self, object: &str, name: &str) -> Option<&Member> {
        let members = self.objects.get(object)?;
        let exact = members.iter().find(|member| member.name == name);
        exact.or_else(|| members.iter().find(|member| member.name.eq_ignore_ascii_case(name)))
    }

    fn as_object<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.objects.contains_key(name).then_some(name)
    }
}

fn input(value: InputValue<'_, String>) -> Input {
    Input {
        name: value.name,
        written: value.value_type.to_string(),
        base: base(&value.value_type).to_owned(),
        list: is_list(&value.value_type),
        required: matches!(value.value_type, Type::NonNullType(_)) && value.default_value.is_none(),
    }
}

fn base<'a>(ty: &'a Type<'_, String>) -> &'a str {
    match ty {
        Type::NamedType(name) => name,
        Type::ListType(inner) | Type::NonNullType(inner) => base(inner),
    }
}

fn is_list(ty: &Type<'_, String>) -> bool {
    match ty {
        Type::NamedType(_) => false,
        Type::ListType(_) => true,
        Type::NonNullType(inner) => is_list(inner),
    }
}
