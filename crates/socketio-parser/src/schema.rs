//! JSON Schemas of the types that JSON has no word for.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{Binary, Value};

impl JsonSchema for Binary {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Binary".into()
    }

    fn schema_id() -> Cow<'static, str> {
        "socketio_parser::Binary".into()
    }

    /// A text of the format `binary`: what OpenAPI and AsyncAPI call bytes beside JSON.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "binary" })
    }
}

impl JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }

    fn schema_id() -> Cow<'static, str> {
        "socketio_parser::Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_and_anything_have_schemas() {
        let mut generator = SchemaGenerator::default();
        let binary = generator.subschema_for::<Binary>();
        assert_eq!(binary.to_value(), json!({ "type": "string", "format": "binary" }));
        assert_eq!(generator.subschema_for::<Value>().to_value(), json!(true));
    }
}
