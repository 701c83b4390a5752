package main

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// libraries are those that Argo CD opens for a script of a user's. It has one for time too, which ours does not need.
var libraries = []struct {
	name string
	open lua.LGFunction
}{
	{lua.LoadLibName, lua.OpenPackage},
	{lua.BaseLibName, lua.OpenBase},
	{lua.TabLibName, lua.OpenTable},
}

// argoHealth runs a health script over an object and gives status and message.
func argoHealth(script string, object map[string]any) (string, string, error) {
	machine := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer machine.Close()
	for _, library := range libraries {
		machine.Push(machine.NewFunction(library.open))
		machine.Push(lua.LString(library.name))
		machine.Call(1, 0)
	}
	machine.SetGlobal("obj", toLua(machine, object))
	if err := machine.DoString(script); err != nil {
		return "", "", err
	}
	health, ok := machine.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script gives no table but %s", machine.Get(-1).Type())
	}
	return health.RawGetString("status").String(), health.RawGetString("message").String(), nil
}

func toLua(machine *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := machine.NewTable()
		for _, entry := range value {
			table.Append(toLua(machine, entry))
		}
		return table
	case map[string]any:
		table := machine.NewTable()
		for key, entry := range value {
			table.RawSetString(key, toLua(machine, entry))
		}
		return table
	default:
		return lua.LNil
	}
}
